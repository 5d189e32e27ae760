"""The answer that `Accept: text/event-stream` asks for: each result as soon as it is ready."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from suresam.api.prompt_stream import Outcome, Work, as_ready, outcome_of
from suresam.api.rest.disconnect import unless_gone
from suresam.domain import Prompt, PromptAnswer, SegmentRequest
from suresam.errors import Overloaded, ServiceError, Superseded
from suresam.wire.rest import EVENT_STREAM, done_event, result_event

if TYPE_CHECKING:
    from suresam.api.rest.application import Service


class EventResponse(Response):
    """Answers the prompts of a request on a session one by one, as server-sent events.

    Status and headers wait for the first event: a request whose prompts are refused before any of
    them was answered (the service is full, stops, or the time is up) gets the ordinary error. What
    a prompt meets later is the error of its own result.

    Args:
        request: what to answer, and whose client may hang up.
        call: the prompts, checked as a whole.
        service: answers them.
        headers: of the response.
    """

    media_type = EVENT_STREAM

    def __init__(
        self,
        request: Request,
        call: SegmentRequest,
        service: "Service",
        headers: Mapping[str, str],
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({**headers, "cache-control": "no-cache", "x-accel-buffering": "no"})
        self._request = request
        self._call = call
        self._service = service
        # Of the whole request: a prompt that has to wait for its turn has less of it.
        self._deadline_at = time.monotonic() + self._deadline_ms() / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; drop what is still to do if the client hangs up.

        Raises:
            ServiceError: the request was refused before anything was sent.
            ClientGone: the client hung up.
        """
        await unless_gone(self._request, self._send(send))

    async def _send(self, send: Send) -> None:
        has_started = False
        async with aclosing(self._events()) as events:
            async for event in events:
                if not has_started:
                    has_started = True
                    start = {"status": self.status_code, "headers": self.raw_headers}
                    await send({"type": "http.response.start", **start})
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        num_told, has_told = 0, False
        limit = self._service.max_running_prompts
        follows = attrgetter("rest")
        async with aclosing(as_ready(self._works(), limit, follows)) as outcomes:
            async for index, outcome in outcomes:
                refusal = outcome.refusal
                if refusal is not None and not has_told and not _is_its_own(refusal, index):
                    raise refusal
                answer = PromptAnswer(index, outcome.response)
                # Logits and polygons make megabytes of JSON.
                yield await loop.run_in_executor(self._service.pool, result_event, answer)
                has_told = True
                num_told += outcome.rest is None
        yield done_event(num_told)

    async def _works(self) -> AsyncGenerator[Work[Outcome], None]:
        last = self._service.max_running_prompts - 1
        for index, prompt in enumerate(self._call.prompts):
            # One that starts when another is answered stands behind those that still wait.
            yield partial(self._answer, prompt, min(index, last))

    async def _answer(self, prompt: Prompt, turn: int) -> Outcome:
        remaining_ms = (self._deadline_at - time.monotonic()) * 1000
        alone = replace(self._call, prompts=(prompt,), deadline_ms=remaining_ms)
        return await outcome_of(
            self._service.router.segment_in_steps(alone, self._request.state.caller.tenant, turn),
            prompt_id=prompt.prompt_id,
            session_id=self._call.session_id,
            request_id=self._request.state.request_id,
        )

    def _deadline_ms(self) -> float:
        asked_ms = self._call.deadline_ms
        return self._service.router.default_deadline_ms if asked_ms is None else asked_ms


def _is_its_own(refusal: ServiceError, index: int) -> bool:
    """Whether a prompt was refused although the others of its request are at work."""
    if isinstance(refusal, Overloaded):
        return index > 0  # those before it were let in
    return isinstance(refusal, Superseded)
