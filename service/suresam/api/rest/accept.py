"""Which of the forms of an answer a client asks for."""

from fastapi import Request


def wants(request: Request, media_type: str) -> bool:
    """Whether a client asks for this form rather than JSON; JSON wins where both are named."""
    accept = request.headers.get("accept", "")
    types = [part.split(";")[0].strip() for part in accept.split(",")]
    return media_type in types and "application/json" not in types
