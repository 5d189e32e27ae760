"""Clients of the gRPC API."""

from typing import TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from suresam.client import grpc_call
from suresam.client.grpc_call import GrpcCall
from suresam.client.retry import RetryPolicy
from suresam.client.surface import AsyncSurface, SyncSurface
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
        address: host:port where the service listens, without encryption.
        retry: how often and after what pause a refused call is tried again.
        timeout_s: seconds for a call without a deadline.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        retry: RetryPolicy | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        super().__init__(grpc_call, retry or RetryPolicy(), timeout_s)
        self._address = address
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = SegmentationStub(self._channel)  # type: ignore[no-untyped-call]

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
        keywords = call.keywords(remaining_ms, self._timeout_s)
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
    ) -> None:
        super().__init__(grpc_call, retry or RetryPolicy(), timeout_s)
        self._address = address
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub = SegmentationStub(self._channel)  # type: ignore[no-untyped-call]

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
        keywords = call.keywords(remaining_ms, self._timeout_s)
        try:
            message = await method(call.write(remaining_ms), **keywords)
        except grpc.RpcError as error:
            raise grpc_call.refused(error, self._address) from error
        return call.answer(message)
