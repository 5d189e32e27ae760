"""The gRPC methods of the contract: convert in, call the router, convert out."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty

from suresam.api.closing import Closing
from suresam.api.grpc.caller import CALLER
from suresam.api.grpc.edge import Context, Edge
from suresam.api.grpc.interaction import Interaction
from suresam.api.grpc.uploads import StreamLimits, read_images, read_upload
from suresam.domain import SegmentRequest
from suresam.errors import InvalidRequest
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationServicer
from suresam.tracing import span
from suresam.wire.grpc import (
    segment_request_from_proto,
    segment_response_to_proto,
    service_info_to_proto,
    session_to_proto,
)

if TYPE_CHECKING:
    from suresam.routing.router import Router


class Servicer(SegmentationServicer):
    """Answers gRPC calls through the router.

    Args:
        router: the API's only door.
        limits: of client streams.
        edge: wraps every call.
        closing: ends streams that have not ended when the service does.
    """

    def __init__(
        self, router: "Router", limits: StreamLimits, edge: Edge, closing: Closing
    ) -> None:
        self._router = router
        self._limits = limits
        self._edge = edge
        self._closing = closing

    async def Segment(self, request: pb.SegmentRequest, context: Context) -> pb.SegmentResponse:
        """An image or a session, and prompts."""

        async def handle() -> pb.SegmentResponse:
            call = segment_request_from_proto(request)
            if call.image is not None and call.image_id is not None:
                raise InvalidRequest(
                    "image_id names an image of a session; this request uploads its own"
                )
            return await self._segment(call, context)

        return await self._edge.answer("Segment", context, handle)

    async def UploadAndSegment(
        self, request_iterator: AsyncIterator[pb.UploadAndSegmentRequest], context: Context
    ) -> pb.SegmentResponse:
        """A header, an image in chunks, and prompts."""

        async def handle() -> pb.SegmentResponse:
            messages = self._closing.messages(request_iterator)
            with span("receive"):
                call = await read_upload(messages, self._limits)
            return await self._segment(call, context)

        return await self._edge.answer("UploadAndSegment", context, handle)

    async def CreateSession(
        self, request_iterator: AsyncIterator[pb.CreateSessionRequest], context: Context
    ) -> pb.Session:
        """Images in chunks, for repeated prompts."""

        async def handle() -> pb.Session:
            messages = self._closing.messages(request_iterator)
            with span("receive"):
                session_id, images = await read_images(messages, self._limits)
            session = await self._router.create_session(
                images, _tenant(), session_id, self._deadline_ms(context, None)
            )
            return session_to_proto(session)

        return await self._edge.answer("CreateSession", context, handle)

    async def Interact(
        self, request_iterator: AsyncIterator[pb.InteractRequest], context: Context
    ) -> None:
        """Prompts on a session in, results out as they are ready."""

        def handle(request_id: str) -> AsyncGenerator[pb.InteractResponse, None]:
            remaining_ms = partial(self._deadline_ms, context)
            interaction = Interaction(self._router, CALLER.get(), remaining_ms, request_id)
            messages = self._closing.messages(request_iterator)
            return interaction.answers(messages, self._limits.max_running_prompts)

        await self._edge.stream("Interact", context, handle)

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.Session:
        """A session's images and when it expires."""

        async def handle() -> pb.Session:
            session = await self._router.get_session(request.session_id, _tenant())
            return session_to_proto(session)

        return await self._edge.answer("GetSession", context, handle)

    async def DeleteSession(self, request: pb.DeleteSessionRequest, context: Context) -> Empty:
        """Forget a session and its images."""

        async def handle() -> Empty:
            await self._router.delete_session(request.session_id, _tenant())
            return Empty()

        return await self._edge.answer("DeleteSession", context, handle)

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """The family's members, their cost and origin, and the limits in force."""

        async def handle() -> pb.ListModelsResponse:
            return service_info_to_proto(await self._router.describe())

        return await self._edge.answer("ListModels", context, handle)

    async def _segment(self, call: SegmentRequest, context: Context) -> pb.SegmentResponse:
        timed = replace(call, deadline_ms=self._deadline_ms(context, call.deadline_ms))
        answer = await self._router.segment(timed, _tenant())
        with span("render"):
            return segment_response_to_proto(answer)

    def _deadline_ms(self, context: Context, requested_ms: float | None) -> float | None:
        """The shorter of the request's own deadline and the call's; None if there is neither."""
        remaining_s = context.time_remaining()
        if remaining_s is None:
            return requested_ms
        # What a caller allows its call is no request to be answered that late.
        limit_ms = self._router.max_deadline_ms
        remaining_ms = min(max(remaining_s, 0.0) * 1000, limit_ms)
        if requested_ms is None or remaining_ms < requested_ms <= limit_ms:
            return remaining_ms
        return requested_ms


def _tenant() -> str:
    return CALLER.get().tenant
