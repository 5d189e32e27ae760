"""Which of the forms of an answer a client asks for."""

from fastapi import Request

from suresam.errors import NotAcceptable

_JSON = "application/json"


def wants(request: Request, media_type: str) -> bool:
    """Whether a client asks for this form rather than JSON; JSON wins where both are named.

    Raises:
        NotAcceptable: it asks for neither.
    """
    accept = request.headers.get("accept", "*/*")
    if accept == "*/*":
        return False
    types = _types(accept)
    if _JSON in types:
        return False
    if media_type in types:
        return True
    if types & {"*/*", "application/*"}:
        return False
    if f"{media_type.partition('/')[0]}/*" in types:
        return True
    raise _unfit(accept, _JSON, media_type)


def check_json(request: Request) -> None:
    """Of a route that answers with JSON alone.

    Raises:
        NotAcceptable: the client asks for something else.
    """
    accept = request.headers.get("accept", "*/*")
    if not _types(accept) & {_JSON, "*/*", "application/*"}:
        raise _unfit(accept, _JSON)


def _types(accept: str) -> set[str]:
    # An empty header asks for nothing in particular.
    return {part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")}


def _unfit(accept: str, *offered: str) -> NotAcceptable:
    return NotAcceptable(f"Accept: {accept[:200]} names none of {', '.join(offered)}")
