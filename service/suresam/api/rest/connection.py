"""One HTTP connection: how much it may send that is no body, and how long it may take over it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from suresam.api.request_id import HEADER, request_id_of
from suresam.api.rest.error_body import code_of, error_json
from suresam.api.upload_times import UploadTimes
from suresam.errors import DeadlineExceeded, InvalidRequest


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds on what a client may do to a connection, with a key and without.

    Attributes:
        max_connections: open at a time; what comes over it is closed at once.
        max_head_bytes: of a request line with its headers, and of anything else between two pieces
            of a body.
        max_head_s: seconds from the first byte of a request, or from the connection's begin, to the
            last of its headers.
        max_waiting: requests that are sent before the answer to the first.
        max_send_s: seconds in which a client must take the answer that is ready for it.
        upload: how long a body may take.
    """

    max_connections: int = 10_000
    max_head_bytes: int = 64 * 1024
    max_head_s: float = 10.0
    max_waiting: int = 16
    max_send_s: float = 120.0
    upload: UploadTimes = field(default_factory=UploadTimes)


class Connection(HttpToolsProtocol):
    """uvicorn's connection with the limits that it lacks.

    uvicorn watches a connection between an answer and the next byte only: one that never sends a
    request, or never ends it, or never reads what it is told, would stay for ever.

    Args:
        limits: of it.
        arguments: of uvicorn's.
    """

    def __init__(self, limits: ConnectionLimits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits = limits
        self._is_in_body = False
        self._has_asked = False
        self._idle_bytes = 0  # since the last that was of use
        self._body_since = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        self._is_head_too_long = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Watch that a request follows."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            self.logger.warning(
                "a connection over the limit of %d is closed", self._limits.max_connections
            )
            transport.abort()
            return
        self._expect(self._limits.max_head_s, self._late_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._expect(None)
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and then watch for what the client still owes."""
        self._idle_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._idle_bytes > self._limits.max_head_bytes:
            self._is_head_too_long = True
            self.send_400_response("")
        elif self._is_in_body:
            upload = self._limits.upload
            left_s = self._body_since + upload.max_total_s - self.loop.time()
            self._expect(min(upload.max_idle_s, left_s), partial(self._late_body, left_s))
        elif self._idle_bytes:
            if self._watch is None:
                self._expect(self._limits.max_head_s, self._late_head)
        elif self._watch is not None:
            self._expect(None)

    def on_headers_complete(self) -> None:
        """Begin a request, unless its head is too long or too many wait before it."""
        self._has_asked = True
        head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        self._is_head_too_long = head_bytes > self._limits.max_head_bytes
        if self._is_head_too_long or len(self.pipeline) >= self._limits.max_waiting:
            raise httptools.HttpParserError
        super().on_headers_complete()
        self._idle_bytes = 0
        self._is_in_body = True
        self._body_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what stands behind a body is no use to anybody."""
        if not self._is_in_body:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._idle_bytes = 0
        self._is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Watch that a connection that is closed is gone soon."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._hurry()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that asks nothing more."""
        super().timeout_keep_alive_handler()
        self._hurry()

    def pause_writing(self) -> None:
        """Watch that the client reads."""
        super().pause_writing()
        self._hurry()

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._calm()

    def send_400_response(self, msg: str) -> None:
        """Refuse, in the documented form, what is no request, and close the connection."""
        if self._is_head_too_long:
            limit = self._limits.max_head_bytes
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self._refuse(
                status,
                code_of(status),
                f"the request line and headers, or what stands between two pieces of a body, have "
                f"over {limit} bytes (limit {limit} bytes)",
            )
        else:
            self._refuse(
                HTTPStatus.BAD_REQUEST,
                InvalidRequest.code,
                "this is not HTTP/1.1 as servers read it",
            )

    def _late_head(self) -> None:
        if not self._has_asked and not self._idle_bytes:
            self.transport.close()  # it never said a word
            return
        limit_s = self._limits.max_head_s
        status = HTTPStatus.REQUEST_TIMEOUT
        message = f"the headers are not complete after {limit_s:g} s (limit {limit_s:g} s)"
        self._refuse(status, code_of(status), message)

    def _late_body(self, left_s: float) -> None:
        upload = self._limits.upload
        if left_s <= upload.max_idle_s:
            message = f"the body is not complete (limit {upload.max_total_s:g} s)"
        else:
            message = (
                f"the body stood still for {upload.max_idle_s:g} s "
                f"(limit {upload.max_idle_s:g} s between two pieces)"
            )
        self._refuse(HTTPStatus.GATEWAY_TIMEOUT, DeadlineExceeded.code, message)

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        """Answer, if no other answer is on its way or was given already, and hang up."""
        self._expect(None)
        cycle = self.cycle
        is_answering = cycle is not None and cycle.response_started and not cycle.response_complete
        is_answered = cycle is not None and cycle.response_complete and self._is_in_body
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if not (self.pipeline or is_answering or is_answered):
            request_id = request_id_of(None)
            body = error_json(code, message, request_id)
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n{HEADER}: {request_id}\r\n"
                "connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
        self._hurry()

    def _expect(self, within_s: float | None, otherwise: Callable[[], None] | None = None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = None
        if within_s is not None and otherwise is not None:
            self._watch = self.loop.call_later(max(within_s, 0.0), otherwise)

    def _hurry(self) -> None:
        if self._sending is None:
            self._sending = self.loop.call_later(self._limits.max_send_s, self.transport.abort)

    def _calm(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
