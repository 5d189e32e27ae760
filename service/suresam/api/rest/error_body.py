"""The JSON of a refusal that the transport itself makes."""

from http import HTTPStatus

from suresam.wire.rest import ErrorBody
from suresam.wire.rest.error import ErrorDetailsBody


def error_json(code: str, message: str, request_id: str) -> bytes:
    """The documented body."""
    details = ErrorDetailsBody(code=code, message=message, request_id=request_id)
    return ErrorBody(error=details).model_dump_json().encode()


def code_of(status: int) -> str:
    """The code of a refusal that has no error of ours, such as "not_found"."""
    return HTTPStatus(status).phrase.lower().replace(" ", "_")
