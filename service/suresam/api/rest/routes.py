"""The routes of the contract: convert in, call the router, convert out."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from suresam.api.rest.accept import check_json, wants
from suresam.api.rest.disconnect import unless_gone
from suresam.api.rest.events import EventResponse
from suresam.api.rest.overlay import PNG, overlay_png
from suresam.api.rest.uploads import Form, read_form, read_json_body
from suresam.domain import OutputRequest, SegmentRequest
from suresam.errors import InvalidRequest
from suresam.tracing import span
from suresam.wire.rest import (
    EVENT_STREAM,
    ErrorBody,
    ModelsBody,
    SegmentResponseBody,
    SessionBody,
    SessionImageBody,
    json_bytes,
    parse_segment_request,
)

if TYPE_CHECKING:
    from suresam.api.rest.application import Service

T = TypeVar("T")

SESSION_HEADER = "x-session-id"

_SHORT_REQUEST_BYTES = 4 * 1024
_SHORT_ANSWER_BYTES = 16 * 1024
"""JSON of a few prompts and of their masks: read or written in a fraction of a millisecond."""

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody}
    for status in (400, 401, 403, 404, 406, 409, 413, 429, 500, 503, 504)
}

_JSON_OR_EVENTS = (
    "JSON; with Accept: text/event-stream the result of each prompt as soon as it is ready, out of "
    "order: `event: result`, `id:` the prompt's index, `data:` a SegmentResponse with that result "
    "alone; with `route.progressive` perhaps a provisional one before it; at the end "
    '`event: done`, `data: {"results": <count>}`. What is wrong with the request '
    "is told by an ordinary error; a prompt that fails later has `error` in its result."
)
_EVENTS: dict[str, Any] = {
    "schema": {"type": "string"},
    "example": 'event: result\nid: 0\ndata: {"image": {"width": 640, "height": 480}, ...}\n\n'
    'event: done\ndata: {"results": 1}\n\n',
}

probes = APIRouter(tags=["operation"])
v1 = APIRouter(prefix="/v1", responses=_ERRORS, tags=["segmentation"])


@probes.get("/livez", response_class=PlainTextResponse, summary="Is the process alive?")
async def livez(request: Request) -> PlainTextResponse:
    """Answers as long as the event loop turns."""
    return PlainTextResponse("ok")


@probes.get(
    "/readyz",
    response_class=PlainTextResponse,
    responses={503: {"description": "warming up or stopping"}},
    summary="Can requests be answered?",
)
async def readyz(request: Request) -> PlainTextResponse:
    """200 while a device has every model warm, until the service begins to stop."""
    is_ready = _service(request).is_ready()
    return PlainTextResponse("ready" if is_ready else "not ready", 200 if is_ready else 503)


@probes.get("/metrics", response_class=PlainTextResponse, summary="Prometheus metrics")
async def metrics(request: Request) -> Response:
    """All metrics in Prometheus' text format."""
    service = _service(request)
    text = service.telemetry.exposition(await service.router.metrics())
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@v1.get("/models", response_model=ModelsBody)
async def models(request: Request) -> Response:
    """The family's members, their cost and origin, and the limits in force."""
    check_json(request)
    info = await _service(request).router.describe()
    return _json(ModelsBody.from_domain(info))


@v1.post(
    "/segment",
    response_model=SegmentResponseBody,
    responses={
        200: {"content": {PNG: {}}, "description": "JSON; with Accept: image/png a picture"}
    },
)
async def segment(request: Request) -> Response:
    """Segment an uploaded image: form file `image`, form field `request` (JSON)."""
    form = await _form(request, "request")
    if "request" not in form.fields:
        raise InvalidRequest("the form field 'request' is missing (JSON, at least the prompts)")
    text, image = form.fields["request"], form.only_image()
    parse = partial(parse_segment_request, text, image=image)
    call = await _aside(request, len(text) > _SHORT_REQUEST_BYTES, parse)
    if call.image_id is not None:
        raise InvalidRequest("image_id names an image of a session; this request uploads its own")
    if wants(request, PNG):
        return await _picture(request, call)
    return await _answer(request, call)


@v1.post("/sessions", status_code=201, response_model=SessionBody)
async def create_session(request: Request) -> Response:
    """Upload one or more images (form files `image`) for repeated prompts."""
    check_json(request)
    form = await _form(request, "session_id")
    chosen = form.fields.get("session_id", request.headers.get(SESSION_HEADER))
    if isinstance(chosen, bytes):
        chosen = chosen.decode(errors="replace")
    work = _service(request).router.create_session(form.images, _tenant(request), chosen)
    session = await unless_gone(request, work)
    return _json(SessionBody.from_domain(session), 201, {SESSION_HEADER: session.session_id})


@v1.post("/sessions/{session_id}/images", status_code=201, response_model=SessionImageBody)
async def add_image(request: Request, session_id: str) -> Response:
    """Upload one more image (form file `image`)."""
    check_json(request)
    form = await _form(request)
    work = _service(request).router.add_image(session_id, form.only_image(), _tenant(request))
    image = await unless_gone(request, work)
    return _json(SessionImageBody.from_domain(image), 201, {SESSION_HEADER: session_id})


@v1.post(
    "/sessions/{session_id}/segment",
    response_model=SegmentResponseBody,
    responses={200: {"content": {EVENT_STREAM: _EVENTS}, "description": _JSON_OR_EVENTS}},
)
async def segment_session(request: Request, session_id: str) -> Response:
    """Segment an image of a session; the body is a `SegmentRequest`."""
    with span("receive"):
        text = await read_json_body(request)
        parse = partial(parse_segment_request, text, session_id=session_id)
        call = await _aside(request, len(text) > _SHORT_REQUEST_BYTES, parse)
    if wants(request, EVENT_STREAM):
        return await _events(request, call, {SESSION_HEADER: session_id})
    return await _answer(request, call, {SESSION_HEADER: session_id})


@v1.get("/sessions/{session_id}", response_model=SessionBody)
async def get_session(request: Request, session_id: str) -> Response:
    """A session's images and when it expires."""
    check_json(request)
    session = await _service(request).router.get_session(session_id, _tenant(request))
    return _json(SessionBody.from_domain(session), headers={SESSION_HEADER: session_id})


@v1.delete("/sessions/{session_id}", status_code=204)
async def delete_session(request: Request, session_id: str) -> Response:
    """Forget a session and its images."""
    await _service(request).router.delete_session(session_id, _tenant(request))
    return Response(status_code=204, headers={SESSION_HEADER: session_id})


def _service(request: Request) -> "Service":
    service: Service = request.app.state.service
    return service


def _tenant(request: Request) -> str:
    tenant: str = request.state.caller.tenant
    return tenant


async def _form(request: Request, *fields: str) -> Form:
    with span("receive"):
        return await read_form(request, fields=fields, max_bytes=_service(request).max_body_bytes)


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    # The models hold only what was checked before: written once, not validated again.
    return Response(body.model_dump_json(), status, headers, media_type=JSONResponse.media_type)


async def _answer(
    request: Request, call: SegmentRequest, headers: dict[str, str] | None = None
) -> Response:
    answer = await unless_gone(request, _service(request).router.segment(call, _tenant(request)))
    with span("render"):
        return await _aside(
            request,
            json_bytes(answer) > _SHORT_ANSWER_BYTES,
            lambda: _json(SegmentResponseBody.from_domain(answer), headers=headers),
        )


async def _events(request: Request, call: SegmentRequest, headers: dict[str, str]) -> Response:
    await _service(request).router.check_session_request(call, _tenant(request))
    return EventResponse(request, call, _service(request), headers)


async def _picture(request: Request, call: SegmentRequest) -> Response:
    output = OutputRequest(masks="rle", min_region_area=call.options.output.min_region_area)
    drawn = replace(call, options=replace(call.options, output=output))
    answer = await unless_gone(request, _service(request).router.segment(drawn, _tenant(request)))
    limits = _service(request).image_limits
    with span("render"):
        png = await _in_pool(request, partial(overlay_png, drawn, answer, limits))
    return Response(png, media_type=PNG)


async def _aside(request: Request, is_long: bool, work: Callable[[], T]) -> T:
    """Work on JSON, off the event loop where it is long; a short one is not worth a thread."""
    return await _in_pool(request, work) if is_long else work()


async def _in_pool(request: Request, work: Callable[[], T]) -> T:
    """Work that may take long, off the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_service(request).pool, work)
