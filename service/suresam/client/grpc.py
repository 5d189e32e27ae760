"""Clients of the gRPC API."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typing_extensions import Unpack

from suresam.client import grpc_call
from suresam.client.grpc_call import GrpcCall
from suresam.client.request import SegmentKeywords, interact_header
from suresam.client.retry import RetryPolicy
from suresam.client.surface import AsyncSurface, SyncSurface
from suresam.client.tls import Tls
from suresam.domain import InteractHeader, Prompt, PromptAnswer
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub

DEFAULT_ADDRESS = "127.0.0.1:50051"

MAX_MESSAGE_BYTES = 256 * 2**20
"""Larger than any answer within the service's limits."""

_OPTIONS = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)

Answer = TypeVar("Answer")


class GrpcClient(SyncSurface):
    """A synchronous client; safe to share between threads.

    Args:
        address: host:port where the service listens.
        retry: how often and after what pause a refused call is tried again.
        timeout_s: seconds for a call without a deadline.
        api_key: of the service; by default what `SURESAM_API_KEY` in the environment says.
        tls: how to encrypt; None is without encryption, `Tls()` trusts the system's authorities.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        retry: RetryPolicy | None = None,
        timeout_s: float = 60.0,
        api_key: str | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(grpc_call, retry or RetryPolicy(), timeout_s)
        self._address = address
        self._key = grpc_call.key_metadata(api_key)
        if tls is None:
            self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        else:
            credentials = tls.channel_credentials()
            self._channel = grpc.secure_channel(address, credentials, options=_OPTIONS)
        self._stub = SegmentationStub(self._channel)  # type: ignore[no-untyped-call]

    def interact(
        self,
        session_id: str,
        prompts: Iterable[Prompt | InteractHeader],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> Iterator[PromptAnswer]:
        """Send prompts on a session as they come up, and take each answer as soon as it is ready.

        The stream is opened when the first answer is asked for, is not bounded in time
        (`deadline_ms` is that of each prompt) and never tried again. A prompt that fails has an
        error in its result and the others go on; what is raised has ended the stream.

        Args:
            session_id: the session to look in.
            prompts: consumed in a thread of gRPC's, ahead of the answers. An `InteractHeader` among
                them changes session, image and options for those behind it. If it raises, what was
                sent before is still answered, and then that is raised here.
            image_id: an image of the session, by default its first.
            keywords: those of `SegmentKeywords`.

        Yields:
            The answers, in the order in which they became ready.
        """
        header = interact_header(session_id, image_id, **keywords)
        opening = grpc_call.interact_message(header)
        failures: list[Exception] = []

        def messages() -> Iterator[pb.InteractRequest]:
            yield opening
            try:
                for prompt in prompts:
                    yield grpc_call.interact_message(prompt)
            except Exception as error:  # raised below; in here gRPC would keep it to itself
                failures.append(error)

        metadata = (*self._key, *grpc_call.session_metadata(session_id))
        call = self._stub.Interact(messages(), metadata=metadata)
        try:
            for message in call:
                yield grpc_call.interact_answer(message)
        except grpc.RpcError as error:
            raise grpc_call.refused(error, self._address) from error
        finally:
            call.cancel()
        for failure in failures:
            raise failure

    def ready(self) -> bool:
        """Whether the service can be reached and takes requests; asked once."""
        health = health_pb2_grpc.HealthStub(self._channel)
        try:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=self._timeout_s)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _attempt(self, call: GrpcCall[Answer], remaining_ms: float | None) -> Answer:
        method = getattr(self._stub, call.rpc)
        keywords = call.keywords(remaining_ms, self._timeout_s, self._key)
        try:
            message = method(call.write(remaining_ms), **keywords)
        except grpc.RpcError as error:
            raise grpc_call.refused(error, self._address) from error
        return call.answer(message)


class AsyncGrpcClient(AsyncSurface):
    """An asyncio client; arguments, methods and errors are those of `GrpcClient`.

    It belongs to the event loop that runs when it is made.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        retry: RetryPolicy | None = None,
        timeout_s: float = 60.0,
        api_key: str | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(grpc_call, retry or RetryPolicy(), timeout_s)
        self._address = address
        self._key = grpc_call.key_metadata(api_key)
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        else:
            credentials = tls.channel_credentials()
            self._channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
        self._stub = SegmentationStub(self._channel)  # type: ignore[no-untyped-call]

    async def interact(
        self,
        session_id: str,
        prompts: AsyncIterable[Prompt | InteractHeader] | Iterable[Prompt | InteractHeader],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> AsyncIterator[PromptAnswer]:
        """Send prompts on a session as they come up, and take each answer as soon as it is ready.

        As `GrpcClient.interact`; `prompts` may be asynchronous. Who leaves early closes the
        iterator (`contextlib`'s `aclosing`), so that the service drops the rest.
        """
        header = interact_header(session_id, image_id, **keywords)
        opening = grpc_call.interact_message(header)
        failures: list[Exception] = []

        async def messages() -> AsyncIterator[pb.InteractRequest]:
            yield opening
            try:
                async for prompt in _each(prompts):
                    yield grpc_call.interact_message(prompt)
            except Exception as error:  # raised below; in here gRPC would keep it to itself
                failures.append(error)

        metadata = (*self._key, *grpc_call.session_metadata(session_id))
        call = self._stub.Interact(messages(), metadata=metadata)
        try:
            async for message in call:
                yield grpc_call.interact_answer(message)
        except grpc.RpcError as error:
            raise grpc_call.refused(error, self._address) from error
        finally:
            call.cancel()
        for failure in failures:
            raise failure

    async def ready(self) -> bool:
        """Whether the service can be reached and takes requests; asked once."""
        health = health_pb2_grpc.HealthStub(self._channel)
        try:
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=self._timeout_s)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close(None)

    async def _attempt(self, call: GrpcCall[Answer], remaining_ms: float | None) -> Answer:
        method = getattr(self._stub, call.rpc)
        keywords = call.keywords(remaining_ms, self._timeout_s, self._key)
        try:
            message = await method(call.write(remaining_ms), **keywords)
        except grpc.RpcError as error:
            raise grpc_call.refused(error, self._address) from error
        return call.answer(message)


async def _each(
    items: AsyncIterable[Prompt | InteractHeader] | Iterable[Prompt | InteractHeader],
) -> AsyncIterator[Prompt | InteractHeader]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
