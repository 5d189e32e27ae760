"""What FastAPI cannot see: bodies, which routes read by hand to word their errors, and what wraps
every route.
"""

from typing import Any

from suresam.wire.rest import SegmentRequestBody

_REF = "#/components/schemas/{model}"
_IMAGE = {"type": "string", "format": "binary", "description": "an image file"}
_EXAMPLE = {"prompts": [{"points": [[500, 375]], "labels": [1]}]}


_PROBES = ("/livez", "/readyz")
_OF_A_CONNECTION = {
    "400": "no HTTP, or no request of the documented form",
    "408": "the headers did not come in time",
    "431": "the headers are too long",
}
_OF_A_KEY = {
    "401": "no valid API key",
    "403": "a key that does not allow this",
    "429": "too many requests, of this key or of all; Retry-After says when to come back",
}
_REQUEST_ID = {
    "description": "what the log calls the request: the client's own id, or a new one",
    "schema": {"type": "string", "maxLength": 128},
}
_RETRY_AFTER = {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}


def complete(document: dict[str, Any], needs_key: bool) -> dict[str, Any]:
    """Add uploads, the `SegmentRequest`, API keys, headers and refusals of all routes."""
    schema = SegmentRequestBody.model_json_schema(ref_template=_REF)
    schemas = document["components"]["schemas"]
    schemas.update(schema.pop("$defs"))
    schemas["SegmentRequestBody"] = {**schema, "examples": [_EXAMPLE]}
    request = {"$ref": _REF.format(model="SegmentRequestBody")}
    images = {"type": "array", "items": _IMAGE, "minItems": 1}
    session_id = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
    paths = document["paths"]
    _set_body(paths["/v1/segment"], _multipart(("image", "request"), image=_IMAGE, request=request))
    _set_body(paths["/v1/sessions"], _multipart(("image",), image=images, session_id=session_id))
    _set_body(paths["/v1/sessions/{session_id}/images"], _multipart(("image",), image=_IMAGE))
    _set_body(paths["/v1/sessions/{session_id}/segment"], {"application/json": {"schema": request}})
    if needs_key:
        schemes = document["components"].setdefault("securitySchemes", {})
        schemes["api_key"] = {"type": "http", "scheme": "bearer"}
        document["security"] = [{"api_key": []}]
        for probe in _PROBES:
            paths[probe]["get"]["security"] = []
    for path, operations in paths.items():
        for operation in operations.values():
            _set_answers(operation["responses"], is_open=path in _PROBES)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def _multipart(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }
    encoding = {"request": {"contentType": "application/json"}} if "request" in properties else {}
    return {"multipart/form-data": {"schema": schema, "encoding": encoding}}


def _set_body(path: dict[str, Any], content: dict[str, Any]) -> None:
    path["post"]["requestBody"] = {"required": True, "content": content}


def _set_answers(responses: dict[str, Any], *, is_open: bool) -> None:
    # Wrong input is answered with 400 here, whatever FastAPI documents.
    responses.pop("422", None)
    content = {"application/json": {"schema": {"$ref": _REF.format(model="ErrorBody")}}}
    for status, text in {**_OF_A_CONNECTION, **({} if is_open else _OF_A_KEY)}.items():
        responses[status] = {"description": text, "content": content}
    for status, response in responses.items():
        headers = {"X-Request-Id": _REQUEST_ID}
        if status in ("429", "503") and not is_open:
            headers["Retry-After"] = _RETRY_AFTER
        response["headers"] = headers
