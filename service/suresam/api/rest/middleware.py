"""What wraps every HTTP request: its id, the body's limit, errors as JSON, metrics."""

import math
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suresam.access.caller import TENANT
from suresam.api.closing import Closing
from suresam.api.request_id import HEADER, request_id_of
from suresam.api.request_log import ADDRESS, log_answer, log_failure
from suresam.api.rest.disconnect import ClientGone
from suresam.api.rest.error_body import code_of, error_json
from suresam.api.status import http_status, public_message, retry_after_s
from suresam.errors import ImageTooLarge, ServiceError, Unauthenticated
from suresam.telemetry import Telemetry

if TYPE_CHECKING:
    from suresam.tracing.server import ServerSpan, Tracer

_HEADER = HEADER.encode()
_JSON = "application/json"
_UNKNOWN = "unknown"

_LAST_ANSWER = (b"connection", b"close")
"""Of this connection: who asks again takes another one, and does not meet this one's end."""


class Edge:
    """The outermost layer of the REST API. No exception passes it.

    Args:
        app: the application inside.
        max_body_bytes: of one request.
        telemetry: of the service.
        closing: is told of every request in progress.
        tracer: traces the API's own requests, or None.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        telemetry: Telemetry,
        closing: Closing,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._telemetry = telemetry
        self._closing = closing
        self._tracer = tracer

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
        traced = None if self._tracer is None else _begin(self._tracer, scope, request_id)
        status = 0
        body = _Body(headers, receive, self._max_body_bytes, self._closing)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id.encode())]
                # A client that still sends would meet a reset in place of its answer.
                if self._closing.has_begun and body.is_whole:
                    message["headers"].append(_LAST_ANSWER)
            await send(message)

        code = "cancelled"
        try:
            with self._closing.exchange():
                try:
                    await self._app(scope, body.receive, send_with_id)
                    code = state.get("error_code", "ok")
                except (ClientGone, ClientDisconnect):
                    code = "client_gone"
                except Exception as error:  # the transport's edge: nothing may pass it
                    told = error if isinstance(error, ServiceError) else ServiceError()
                    code = told.code
                    if traced is not None:
                        traced.fail(told)
                    if status:
                        raise  # half an answer is out already; the server closes the connection
                    await error_response(error, request_id)(scope, receive, send_with_id)
        finally:
            method = _method_of(scope)
            self._telemetry.requests.labels("rest", method, code).inc()
            seconds = time.monotonic() - started
            self._telemetry.request_seconds.labels("rest", method).observe(seconds)
            log_answer(request_id, "rest", method, code, started)
            if traced is not None:
                traced.end_http(None if method == _UNKNOWN else method, status, code)


def _method_of(scope: Scope) -> str:
    route = scope.get("route")
    # Clients may make up methods; each would be a new time series.
    if route is None or scope["method"] not in route.methods:
        return _UNKNOWN
    return f"{scope['method']} {route.path}"


def _address(scope: Scope) -> str | None:
    client: tuple[str, int] | None = scope.get("client")
    return None if client is None else client[0]


def _begin(tracer: "Tracer", scope: Scope, request_id: str) -> "ServerSpan | None":
    """The span of a request to the API itself; probes and pages have none."""
    if not scope["path"].startswith("/v1/"):
        return None
    traced = tracer.http(scope["method"], scope["scheme"], scope["headers"])
    traced.tell({"suresam.request_id": request_id})
    return traced


class _Body:
    """What a client sends of one request: counted, and read as long as it is not too much."""

    def __init__(
        self, headers: Mapping[bytes, bytes], receive: Receive, limit: int, closing: Closing
    ) -> None:
        self._declared = headers.get(b"content-length", b"")
        self._receive = receive
        self._limit = limit
        self._closing = closing
        self._num_received = 0
        self.is_whole = b"transfer-encoding" not in headers and self._declared in (b"", b"0")
        """Whether all of it was read."""

    async def receive(self) -> Message:
        """The next part; behind the last one, that the client hung up.

        Raises:
            ImageTooLarge, ShuttingDown
        """
        limit = self._limit
        if self._declared.isdigit() and int(self._declared) > limit:
            raise ImageTooLarge(f"the body has {int(self._declared)} bytes (limit {limit} bytes)")
        if self.is_whole:
            message = await self._receive()
        else:
            with self._closing.reading():
                message = await self._receive()
            self.is_whole = not message.get("more_body", False)
        self._num_received += len(message.get("body", b""))
        if self._num_received > limit:
            raise ImageTooLarge(f"the body has over {limit} bytes (limit {limit} bytes)")
        return message


def refuse_route(request: Request, error: Exception) -> Response:
    """An unknown route or method, as the documented JSON."""
    assert isinstance(error, HTTPException)
    code = request.state.error_code = code_of(error.status_code)
    body = error_json(code, str(error.detail), request.state.request_id)
    return Response(body, error.status_code, error.headers, _JSON)


def error_response(error: Exception, request_id: str) -> Response:
    """An error as the documented JSON. Never a stack trace; that goes to the log."""
    told = log_failure(error, request_id)
    headers = {}
    wait_s = retry_after_s(told)
    if wait_s is not None:
        headers["retry-after"] = str(math.ceil(wait_s))
    if isinstance(told, Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="suresam"'
    body = error_json(told.code, public_message(told, request_id), request_id)
    return Response(body, http_status(told), headers, _JSON)
