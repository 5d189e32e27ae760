"""One `Interact` call: headers and prompts in, answers out as they are ready."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from suresam.access.caller import Caller
from suresam.api.prompt_stream import Outcome, Work, as_ready, outcome_of
from suresam.domain import InteractHeader, PromptAnswer
from suresam.errors import InvalidRequest, ShuttingDown
from suresam.pb import segmentation_pb2 as pb
from suresam.wire.grpc import (
    interact_header_from_proto,
    interact_response_to_proto,
    prompt_from_proto,
)

if TYPE_CHECKING:
    from suresam.routing.answer import Step
    from suresam.routing.router import Router


class Interaction:
    """Answers the prompts of one stream.

    Args:
        router: the API's only door.
        caller: who asks. Each of their prompts counts as a request; the first is the call's own.
        remaining_ms: the milliseconds that a prompt has now, of those that its header asks for.
        request_id: of the call.
    """

    def __init__(
        self,
        router: "Router",
        caller: Caller,
        remaining_ms: Callable[[float], float | None],
        request_id: str,
    ) -> None:
        self._router = router
        self._caller = caller
        self._remaining_ms = remaining_ms
        self._request_id = request_id
        self._num_running = 0
        self._has_begun = False
        self._cut: ShuttingDown | None = None

    async def answers(
        self, stream: AsyncIterator[pb.InteractRequest], max_running: int
    ) -> AsyncGenerator[pb.InteractResponse, None]:
        """The answers to every prompt of a stream, with at most `max_running` in progress.

        Raises:
            InvalidRequest: no header first, an empty message, or options that cannot be read.
            SessionNotFound: a header names no living session.
            Unauthenticated: the caller's key was taken away meanwhile.
            ShuttingDown: the service stops before the stream has ended. Every prompt that was
                answered has its answer by then; no other one is at work.
        """
        works = self._works(stream)
        async with aclosing(as_ready(works, max_running, attrgetter("rest"))) as outcomes:
            async for index, outcome in outcomes:
                yield interact_response_to_proto(PromptAnswer(index, outcome.response))
        if self._cut is not None:
            raise self._cut

    async def _works(
        self, stream: AsyncIterator[pb.InteractRequest]
    ) -> AsyncGenerator[Work[Outcome], None]:
        header: InteractHeader | None = None
        async for message in self._until_cut(stream):
            self._caller.check_alive()
            kind = message.WhichOneof("message")
            if kind is None:
                raise InvalidRequest("an empty message; each must hold a header or a prompt")
            if kind == "header":
                header = interact_header_from_proto(message.header)
                await self._router.get_session(header.session_id, self._caller.tenant)
            elif header is None:
                raise InvalidRequest(f"the first message must be the header, not {kind}")
            else:
                yield partial(self._answer, header, message.prompt)
        if header is None and self._cut is None:
            raise InvalidRequest("the stream ended before its header")

    async def _until_cut(
        self, stream: AsyncIterator[pb.InteractRequest]
    ) -> AsyncGenerator[pb.InteractRequest, None]:
        """The messages that came; those that are at work already are answered first."""
        try:
            async for message in stream:
                yield message
        except ShuttingDown as error:
            self._cut = error

    async def _answer(self, header: InteractHeader, message: pb.Prompt) -> Outcome:
        return await outcome_of(
            self._segment(header, message),
            prompt_id=message.prompt_id if message.HasField("prompt_id") else None,
            session_id=header.session_id,
            request_id=self._request_id,
        )

    async def _segment(self, header: InteractHeader, message: pb.Prompt) -> "Step":
        if self._has_begun:
            self._caller.account.prompt()
        self._has_begun = True
        # The time that the call itself may take is that of the whole stream: a prompt has its
        # header's, or what any request has by default.
        asked_ms = header.deadline_ms
        if asked_ms is None:
            asked_ms = self._router.default_deadline_ms
        request = header.request(prompt_from_proto(message, "prompts[0]"))
        timed = replace(request, deadline_ms=self._remaining_ms(asked_ms))
        turn = self._num_running  # behind the stream's own, not before other people's
        self._num_running += 1
        try:
            return await self._router.segment_in_steps(timed, self._caller.tenant, turn)
        finally:
            self._num_running -= 1
