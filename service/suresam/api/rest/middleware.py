"""What wraps every HTTP request: its id, the body's limit, errors as JSON, metrics."""

import math
import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suresam.access.caller import TENANT
from suresam.api.request_id import HEADER, request_id_of
from suresam.api.request_log import ADDRESS, log_answer, log_failure
from suresam.api.rest.disconnect import ClientGone
from suresam.api.status import http_status, public_message, retry_after_s
from suresam.errors import ImageTooLarge, ServiceError, Unauthenticated
from suresam.telemetry import Telemetry
from suresam.wire.rest import ErrorBody

_HEADER = HEADER.encode()


class Edge:
    """The outermost layer of the REST API. No exception passes it.

    Args:
        app: the application inside.
        max_body_bytes: of one request.
        telemetry: of the service.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, telemetry: Telemetry) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        ADDRESS.set(partial(_address, scope))
        TENANT.set(None)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        proposed = headers.get(_HEADER)
        request_id = request_id_of(None if proposed is None else proposed.decode("latin-1"))
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id.encode())]
            await send(message)

        code = "cancelled"
        try:
            await self._app(scope, self._limited(headers, receive), send_with_id)
            code = state.get("error_code", "ok")
        except (ClientGone, ClientDisconnect):
            code = "client_gone"
        except Exception as error:  # the transport's edge: nothing may pass it
            code = error.code if isinstance(error, ServiceError) else ServiceError.code
            if status:
                raise  # half an answer is out already; the server closes the connection
            await error_response(error, request_id)(scope, receive, send_with_id)
        finally:
            self._observe(scope, code, started)

    def _limited(self, headers: Mapping[bytes, bytes], receive: Receive) -> Receive:
        """Count the body's bytes and stop reading once there are too many."""
        limit = self._max_body_bytes
        declared = headers.get(b"content-length", b"")
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            if declared.isdigit() and int(declared) > limit:
                raise ImageTooLarge(f"the body has {int(declared)} bytes (limit {limit} bytes)")
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise ImageTooLarge(f"the body has over {limit} bytes (limit {limit} bytes)")
            return message

        return receive_limited

    def _observe(self, scope: Scope, code: str, started: float) -> None:
        route = scope.get("route")
        # Clients may make up methods; each would be a new time series.
        method = "unknown"
        if route is not None and scope["method"] in route.methods:
            method = f"{scope['method']} {route.path}"
        self._telemetry.requests.labels("rest", method, code).inc()
        self._telemetry.request_seconds.labels("rest", method).observe(time.monotonic() - started)
        log_answer(scope["state"]["request_id"], "rest", method, code, started)


def _address(scope: Scope) -> str | None:
    client: tuple[str, int] | None = scope.get("client")
    return None if client is None else client[0]


def refuse_route(request: Request, error: Exception) -> Response:
    """An unknown route or method, as the documented JSON."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    request.state.error_code = code
    body = _body(code, str(error.detail), request.state.request_id)
    return JSONResponse(body, error.status_code, headers=error.headers)


def error_response(error: Exception, request_id: str) -> Response:
    """An error as the documented JSON. Never a stack trace; that goes to the log."""
    told = log_failure(error, request_id)
    headers = {}
    wait_s = retry_after_s(told)
    if wait_s is not None:
        headers["retry-after"] = str(math.ceil(wait_s))
    if isinstance(told, Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="suresam"'
    body = _body(told.code, public_message(told, request_id), request_id)
    return JSONResponse(body, http_status(told), headers=headers)


def _body(code: str, message: str, request_id: str) -> dict[str, object]:
    details = {"code": code, "message": message, "request_id": request_id}
    return ErrorBody.model_validate({"error": details}).model_dump()
