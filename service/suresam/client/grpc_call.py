"""One gRPC exchange with the service: what to send, and what an answer means."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from suresam.client.key import authorization
from suresam.client.request import check_prompt
from suresam.client.retry import attempt_timeout_s
from suresam.domain import (
    InteractHeader,
    Prompt,
    PromptAnswer,
    SegmentRequest,
    SegmentResponse,
    ServiceInfo,
    Session,
)
from suresam.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NotReady,
    Overloaded,
    ServiceError,
    from_code,
)
from suresam.pb import segmentation_pb2 as pb
from suresam.tracing.headers import trace_headers
from suresam.wire.grpc import (
    interact_header_to_proto,
    interact_response_from_proto,
    options_to_proto,
    prompt_to_proto,
    segment_request_to_proto,
    segment_response_from_proto,
    service_info_from_proto,
    session_from_proto,
)
from suresam.wire.grpc.metadata import AUTHORIZATION_KEY, ERROR_CODE_KEY, PUSHBACK_KEY

Answer = TypeVar("Answer")

Metadata = tuple[tuple[str, str], ...]

CHUNK_BYTES = 256 * 1024
"""How much of an image one message carries."""

_CODES_WITHOUT_KEY = {
    grpc.StatusCode.UNAVAILABLE: NotReady.code,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded.code,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded.code,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest.code,
}
"""What a status means that the service did not set itself, but gRPC or a proxy."""


@dataclass(frozen=True, slots=True)
class GrpcCall(Generic[Answer]):
    """One call of the API, as data.

    Attributes:
        rpc: name of the method.
        write: the message, or the stream of messages, for the milliseconds left of the deadline.
        read: the answer of a message.
        deadline_ms: what the caller allows for all attempts, milliseconds.
        session_id: the session it is about, or None; sent as metadata, for proxies to hash.
    """

    rpc: str
    write: Callable[[float | None], Message | Iterator[Message]]
    read: Callable[[Any], Answer]
    deadline_ms: float | None = None
    session_id: str | None = None

    def keywords(
        self, remaining_ms: float | None, timeout_s: float, key: Metadata
    ) -> dict[str, Any]:
        """What a stub's method takes beside the message.

        Args:
            remaining_ms: milliseconds left of the deadline, or None.
            timeout_s: seconds for the whole call, if there is no deadline.
            key: metadata that tell who asks.
        """
        about = trace_metadata() if self.session_id is None else session_metadata(self.session_id)
        metadata = (*key, *about)
        return {"timeout": attempt_timeout_s(remaining_ms, timeout_s), "metadata": metadata}

    def answer(self, message: Any) -> Answer:
        """The answer.

        Raises:
            ServiceError: the message does not have the documented form.
        """
        try:
            return self.read(message)
        except ValueError as error:
            raise _misread(self.rpc, error) from error


def segment(request: SegmentRequest) -> GrpcCall[SegmentResponse]:
    """Segment the uploaded image, in chunks, or an image of the session.

    Raises:
        InvalidPrompt, InvalidRequest: a value does not fit its field.
    """
    image = request.image
    if image is None:
        message = segment_request_to_proto(request)

        def write(remaining_ms: float | None) -> Message:
            if remaining_ms is not None:
                message.deadline_ms = remaining_ms
            return message

        return GrpcCall(
            "Segment", write, segment_response_from_proto, request.deadline_ms, request.session_id
        )
    # Written here and not in the stream: an error there would end the call without its message.
    options = options_to_proto(request.options)
    prompts = [prompt_to_proto(prompt) for prompt in request.prompts]

    def write_stream(remaining_ms: float | None) -> Iterator[Message]:
        header = pb.UploadAndSegmentHeader(
            options=options, deadline_ms=remaining_ms, image_bytes=len(image)
        )
        yield pb.UploadAndSegmentRequest(header=header)
        for chunk in _chunks(image):
            yield pb.UploadAndSegmentRequest(chunk=chunk)
        for prompt in prompts:
            yield pb.UploadAndSegmentRequest(prompt=prompt)

    return GrpcCall(
        "UploadAndSegment", write_stream, segment_response_from_proto, request.deadline_ms
    )


def interact_message(item: InteractHeader | Prompt) -> pb.InteractRequest:
    """One message of a stream of prompts.

    Raises:
        InvalidPrompt, InvalidRequest: a value does not fit its field.
    """
    if isinstance(item, InteractHeader):
        return pb.InteractRequest(header=interact_header_to_proto(item))
    check_prompt(item, "what the iterator gave")
    return pb.InteractRequest(prompt=prompt_to_proto(item))


def interact_answer(message: pb.InteractResponse) -> PromptAnswer:
    """The answer that a message of such a stream holds.

    Raises:
        ServiceError: the message does not have the documented form.
    """
    try:
        return interact_response_from_proto(message)
    except ValueError as error:
        raise _misread("Interact", error) from error


def create_session(images: tuple[bytes, ...], session_id: str | None) -> GrpcCall[Session]:
    """Upload images for repeated prompts."""

    def write_stream(_: float | None) -> Iterator[Message]:
        for place, image in enumerate(images):
            header = pb.CreateSessionHeader(
                session_id=session_id if place == 0 else None, image_bytes=len(image)
            )
            yield pb.CreateSessionRequest(header=header)
            for chunk in _chunks(image):
                yield pb.CreateSessionRequest(chunk=chunk)

    return GrpcCall("CreateSession", write_stream, session_from_proto, session_id=session_id)


def get_session(session_id: str) -> GrpcCall[Session]:
    """Ask for a session's images and expiry."""
    message = pb.GetSessionRequest(session_id=session_id)
    return GrpcCall("GetSession", lambda _: message, session_from_proto, session_id=session_id)


def delete_session(session_id: str) -> GrpcCall[None]:
    """Forget a session."""
    message = pb.DeleteSessionRequest(session_id=session_id)
    return GrpcCall("DeleteSession", lambda _: message, lambda _: None, session_id=session_id)


def models() -> GrpcCall[ServiceInfo]:
    """Ask what is being served."""
    return GrpcCall("ListModels", lambda _: pb.ListModelsRequest(), service_info_from_proto)


def key_metadata(api_key: str | None) -> Metadata:
    """What every call says of who asks.

    Raises:
        ConfigurationError: the key is none.
    """
    value = authorization(api_key)
    return () if value is None else ((AUTHORIZATION_KEY, value),)


def session_metadata(session_id: str) -> Metadata:
    """What a call about a session sends before its messages, for proxies to hash."""
    return (("x-session-id", session_id), *trace_metadata())


def trace_metadata() -> Metadata:
    """What a call says of the trace that its caller is in."""
    return tuple(trace_headers().items())


def refused(error: grpc.RpcError, address: str) -> ServiceError:
    """The error of a call that ended without an answer."""
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError)
    status, details = error.code(), error.details() or ""
    pairs: Any = error.trailing_metadata() or ()
    trailing: dict[str, str | bytes] = dict(pairs)
    pushback_ms = trailing.get(PUSHBACK_KEY, "")
    # A proxy may write what is no number of milliseconds; then our own pauses apply.
    retry_after_s = int(pushback_ms) / 1000 if pushback_ms.isdigit() else None
    code = trailing.get(ERROR_CODE_KEY)
    if isinstance(code, str):
        return from_code(code, details, retry_after_s)
    code = _CODES_WITHOUT_KEY.get(status, ServiceError.code)
    return from_code(code, f"{address} did not answer: {status.name}, {details}", retry_after_s)


def _misread(rpc: str, error: ValueError) -> ServiceError:
    return ServiceError(f"{rpc} answered in an unknown form: {error}")


def _chunks(image: bytes) -> Iterator[bytes]:
    return (image[start : start + CHUNK_BYTES] for start in range(0, len(image), CHUNK_BYTES))
