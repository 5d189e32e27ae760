"""One HTTP exchange with the service: what to send, and what an answer means."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from suresam.client.key import authorization
from suresam.client.retry import attempt_timeout_s
from suresam.domain import (
    PromptAnswer,
    SegmentRequest,
    SegmentResponse,
    ServiceInfo,
    Session,
    SessionImage,
)
from suresam.errors import (
    CapacityError,
    DeadlineExceeded,
    ImageTooLarge,
    NotReady,
    Overloaded,
    ServiceError,
    from_code,
)
from suresam.tracing.headers import trace_headers
from suresam.wire.rest import (
    EVENT_STREAM,
    ErrorBody,
    EventReader,
    ModelsBody,
    SegmentRequestBody,
    SegmentResponseBody,
    SessionBody,
    SessionImageBody,
)

Answer = TypeVar("Answer")

_PROXY_CODES = {
    413: ImageTooLarge.code,
    429: Overloaded.code,
    502: NotReady.code,
    503: NotReady.code,
    504: DeadlineExceeded.code,
}


@dataclass(frozen=True, slots=True)
class RestCall(Generic[Answer]):
    """One call of the API, as data.

    Attributes:
        method, path: of the route.
        read: the answer of a body.
        request: prompts and options, or None.
        images: files to upload; if there are any the body is a form, else the request's JSON.
        fields: of the form, beside the request.
        session_id: the session it is about, or None; sent as a header, for proxies to hash.
        accept: media type of the answer, or None for JSON.
    """

    method: str
    path: str
    read: Callable[[bytes], Answer]
    request: SegmentRequest | None = None
    images: tuple[bytes, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    session_id: str | None = None
    accept: str | None = None

    @property
    def deadline_ms(self) -> float | None:
        """What the caller allows for all attempts, milliseconds."""
        return None if self.request is None else self.request.deadline_ms

    def to_http(self, remaining_ms: float | None, timeout_s: float) -> dict[str, Any]:
        """The arguments of `httpx`'s `request`.

        Args:
            remaining_ms: milliseconds left of the deadline, or None.
            timeout_s: seconds without a sign from the server, if there is no deadline.
        """
        arguments: dict[str, Any] = {
            "method": self.method,
            "url": self.path,
            "timeout": attempt_timeout_s(remaining_ms, timeout_s),
            "headers": trace_headers(),
        }
        if self.session_id is not None:
            arguments["headers"]["x-session-id"] = self.session_id
        if self.accept is not None:
            arguments["headers"]["accept"] = self.accept
        if self.images:
            arguments["files"] = [("image", ("image", data)) for data in self.images]
            arguments["data"] = dict(self.fields)
        if self.request is not None:
            sent = replace(self.request, deadline_ms=remaining_ms)
            body = SegmentRequestBody.from_domain(sent).model_dump_json()
            if self.images:
                arguments["data"]["request"] = body
            else:
                arguments["content"] = body
                arguments["headers"]["content-type"] = "application/json"
        return arguments

    def from_http(self, response: httpx.Response) -> Answer:
        """The answer.

        Raises:
            ServiceError: what the server refused or failed with; or an answer that does not have
                the documented form.
        """
        if not response.is_success:
            raise refused(response)
        try:
            return self.read(response.content)
        except ValueError as error:
            raise _misread(response, error) from error


class ResultEvents:
    """The answers of an event stream, read from the pieces of its body as they arrive.

    Args:
        response: whose body it is.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._reader = EventReader()
        self._is_done = False

    def feed(self, piece: bytes) -> Iterator[PromptAnswer]:
        """The answers that this piece completes.

        Raises:
            ServiceError: one does not have the documented form.
        """
        for event in self._reader.feed(piece):
            if event.name == "done":
                self._is_done = True
            elif event.name == "result":
                try:
                    yield event.answer()
                except ValueError as error:
                    raise _misread(self._response, error) from error

    def finish(self) -> None:
        """Make sure, at the body's end, that no answer is missing.

        Raises:
            NotReady: the stream broke off.
        """
        if not self._is_done:
            raise NotReady(f"{self._response.url} ended its answer before the last event")


def segment(request: SegmentRequest) -> RestCall[SegmentResponse]:
    """Segment the uploaded image, or an image of the session."""
    if request.image is not None:
        return RestCall("POST", "/v1/segment", _response, request, images=(request.image,))
    session_id = request.session_id
    path = f"{_session_path(session_id or '')}/segment"
    return RestCall("POST", path, _response, request, session_id=session_id)


def segment_stream(request: SegmentRequest) -> RestCall[SegmentResponse]:
    """Segment an image of the session, answered by events: see `ResultEvents`."""
    return replace(segment(request), accept=EVENT_STREAM)


def create_session(images: tuple[bytes, ...], session_id: str | None) -> RestCall[Session]:
    """Upload images for repeated prompts."""
    fields = {} if session_id is None else {"session_id": session_id}
    return RestCall(
        "POST", "/v1/sessions", _session, images=images, fields=fields, session_id=session_id
    )


def add_image(session_id: str, image: bytes) -> RestCall[SessionImage]:
    """Upload one more image."""
    path = f"{_session_path(session_id)}/images"
    return RestCall("POST", path, _session_image, images=(image,), session_id=session_id)


def get_session(session_id: str) -> RestCall[Session]:
    """Ask for a session's images and expiry."""
    return RestCall("GET", _session_path(session_id), _session, session_id=session_id)


def delete_session(session_id: str) -> RestCall[None]:
    """Forget a session."""
    return RestCall("DELETE", _session_path(session_id), lambda _: None, session_id=session_id)


def models() -> RestCall[ServiceInfo]:
    """Ask what is being served."""
    return RestCall("GET", "/v1/models", _models)


def key_headers(api_key: str | None) -> dict[str, str]:
    """What every request says of who asks.

    Raises:
        ConfigurationError: the key is none.
    """
    value = authorization(api_key)
    return {} if value is None else {"authorization": value}


def unanswered(error: httpx.TransportError, base_url: str) -> CapacityError:
    """The error of an exchange that brought no answer."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return DeadlineExceeded(f"{base_url} did not answer in time: {reason}")
    if isinstance(error, httpx.RemoteProtocolError) and base_url.startswith("http://"):
        reason += " (a server with TLS wants https://)"
    return NotReady(f"{base_url} cannot be reached: {reason}")


def _session_path(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}"


def _response(body: bytes) -> SegmentResponse:
    return SegmentResponseBody.model_validate_json(body).to_domain()


def _session(body: bytes) -> Session:
    return SessionBody.model_validate_json(body).to_domain()


def _session_image(body: bytes) -> SessionImage:
    return SessionImageBody.model_validate_json(body).to_domain()


def _models(body: bytes) -> ServiceInfo:
    return ModelsBody.model_validate_json(body).to_domain()


def refused(response: httpx.Response) -> ServiceError:
    """The error that an answer without success tells."""
    retry_after_s = _retry_after_s(response.headers.get("retry-after"))
    try:
        return ErrorBody.model_validate_json(response.content).to_domain(retry_after_s)
    except ValidationError:
        # Not the service but a proxy before it.
        code = _PROXY_CODES.get(response.status_code, ServiceError.code)
        message = f"{response.url} answered {response.status_code} {response.reason_phrase}"
        return from_code(code, message, retry_after_s)


def _misread(response: httpx.Response, error: ValueError) -> ServiceError:
    reason = str(error).splitlines()[0]
    return ServiceError(f"{response.url} answered in an unknown form: {reason}")


def _retry_after_s(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
