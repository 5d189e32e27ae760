"""Clicks over gRPC; everything else of a visit goes over REST."""

import asyncio
from typing import Any

import grpc

from suresam.benchmarks.serve.exchange import MALFORMED, OK, TIMEOUT, UNREACHABLE, Reply
from suresam.client.grpc import MAX_MESSAGE_BYTES
from suresam.client.grpc_call import Metadata
from suresam.domain import Point
from suresam.errors import ConfigurationError
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub
from suresam.wire.grpc.metadata import ERROR_CODE_KEY, PUSHBACK_KEY

_READY_TIMEOUT_S = 5.0
_OWN_CODES = {
    grpc.StatusCode.DEADLINE_EXCEEDED: TIMEOUT,
    grpc.StatusCode.UNAVAILABLE: UNREACHABLE,
}
"""What a status means that the service did not set."""


class GrpcClicks:
    """Clicks on sessions that were made over REST, all on one connection.

    Args:
        address: host:port.
        member: who should answer, a role or a name; None leaves it to the server.
        timeout_s: seconds after which an answer is given up.
        deadline_ms: that clicks ask for; None leaves it to the server.
        key: metadata that tell who asks.
    """

    def __init__(
        self,
        address: str,
        member: str | None,
        timeout_s: float,
        deadline_ms: float | None = None,
        key: Metadata = (),
    ) -> None:
        self._key = key
        self._address = address
        limit = (("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),)
        self._channel = grpc.aio.insecure_channel(address, options=limit)
        self._stub: Any = SegmentationStub(self._channel)  # type: ignore[no-untyped-call]
        route = None if member is None else pb.RouteRequest(mode=member)
        self._options = pb.SegmentOptions(route=route)
        self._timeout_s = timeout_s
        self._deadline_ms = deadline_ms

    async def check_ready(self) -> None:
        """Make sure that the server answers.

        Raises:
            ConfigurationError: it does not.
        """
        try:
            await self._stub.ListModels(
                pb.ListModelsRequest(), timeout=_READY_TIMEOUT_S, metadata=self._key
            )
        except grpc.aio.AioRpcError as error:
            raise ConfigurationError(f"--grpc={self._address}: {error.details()}") from None

    async def click(self, session_id: str, point: Point) -> Reply:
        """Click on a session's picture."""
        request = pb.SegmentRequest(
            session_id=session_id,
            prompts=[pb.Prompt(points=[pb.Point(x=point.x, y=point.y)], labels=[1])],
            options=self._options,
            deadline_ms=self._deadline_ms,
        )
        now = asyncio.get_running_loop().time
        try:
            answer = await self._stub.Segment(request, timeout=self._timeout_s, metadata=self._key)
        except grpc.aio.AioRpcError as error:
            pairs: Any = error.trailing_metadata() or ()
            trailing = dict(pairs)
            status = error.code()
            code = trailing.get(ERROR_CODE_KEY, _OWN_CODES.get(status, status.name.lower()))
            return Reply(code, now(), has_retry_after=PUSHBACK_KEY in trailing)
        received_s = now()
        for result in answer.results:
            if not result.masks:
                return Reply(result.error.code or MALFORMED, received_s)
        return Reply(OK if answer.results else MALFORMED, received_s)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close(None)
