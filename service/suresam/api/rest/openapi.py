"""The request bodies in the OpenAPI document; routes read them by hand to word their errors."""

from typing import Any

from suresam.wire.rest import SegmentRequestBody

_REF = "#/components/schemas/{model}"
_IMAGE = {"type": "string", "format": "binary", "description": "an image file"}
_EXAMPLE = {"prompts": [{"points": [[500, 375]], "labels": [1]}]}


def document_uploads(document: dict[str, Any], needs_key: bool) -> dict[str, Any]:
    """Add what FastAPI cannot see: multipart uploads, the `SegmentRequest`, and API keys."""
    schema = SegmentRequestBody.model_json_schema(ref_template=_REF)
    schemas = document["components"]["schemas"]
    schemas.update(schema.pop("$defs"))
    schemas["SegmentRequestBody"] = {**schema, "examples": [_EXAMPLE]}
    request = {"$ref": _REF.format(model="SegmentRequestBody")}
    images = {"type": "array", "items": _IMAGE}
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
        for probe in ("/livez", "/readyz"):
            paths[probe]["get"]["security"] = []
    # Wrong input is answered with 400 here, whatever FastAPI documents.
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def _multipart(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "required": list(required), "properties": properties}
    return {"multipart/form-data": {"schema": schema}}


def _set_body(path: dict[str, Any], content: dict[str, Any]) -> None:
    path["post"]["requestBody"] = {"required": True, "content": content}
