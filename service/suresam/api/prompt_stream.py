"""The prompts of one stream: so many in progress, each answered alone and as soon as it is ready.

Both transports stream through here, so that they bound, cancel and fail alike.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from suresam.api.request_log import log_failure
from suresam.api.status import public_message, retry_after_s
from suresam.domain import Result, ResultError, SegmentResponse, Timings
from suresam.errors import ServiceError
from suresam.routing.answer import Step
from suresam.tracing import span

T = TypeVar("T")

Work = Callable[[], Coroutine[Any, Any, T]]

MAX_RUNNING_PROMPTS = 32
"""Prompts of one stream that are in progress; an answer that was not taken yet still counts."""


def _nothing(result: object) -> None:
    """What follows a result that is the only one."""


async def as_ready(
    works: AsyncGenerator[Work[T], None],
    limit: int,
    then: Callable[[T], Work[T] | None] = _nothing,
) -> AsyncGenerator[tuple[int, T], None]:
    """Run works as they come, and tell what each returns as soon as it does.

    At most `limit` works are in progress or have a result that nobody took; as long as there are so
    many no further one is asked for. A slow reader thus holds back its own works and nothing else.
    When the generator is closed, or a work or `works` itself raises, whatever is still in progress
    is cancelled before this ends.

    Args:
        works: what to run, perhaps still arriving.
        limit: at least 1.
        then: the work that goes on from a result, in the same place, or None.

    Yields:
        The place of a work, from 0, and its result.
    """
    running: dict[asyncio.Task[T], int] = {}
    coming: asyncio.Task[Work[T] | None] | None = None
    num_started, is_last_read = 0, False
    try:
        while True:
            if coming is None and not is_last_read and len(running) < limit:
                coming = asyncio.create_task(_next(works))
            waited_for = {*running} if coming is None else {*running, coming}
            if not waited_for:
                return
            done, _ = await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
            if coming is not None and coming in done:
                work, coming = coming.result(), None
                if work is None:
                    is_last_read = True
                else:
                    task = asyncio.create_task(work())
                    running[task] = num_started
                    num_started += 1
            for task in [task for task in running if task in done]:
                index, result = running.pop(task), task.result()
                more = then(result)
                if more is not None:
                    running[asyncio.create_task(more())] = index
                yield index, result
    finally:
        left: list[asyncio.Task[Any]] = [*running] if coming is None else [*running, coming]
        for unfinished in left:
            unfinished.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await works.aclose()


async def _next(works: AsyncGenerator[Work[T], None]) -> Work[T] | None:
    async for work in works:
        return work
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one prompt.

    Attributes:
        response: with one result, its masks or its error.
        refusal: the error that the prompt as a request of its own would have ended with, or None.
        rest: the work that goes on from a provisional result; None if it is final.
    """

    response: SegmentResponse
    refusal: ServiceError | None = None
    rest: "Work[Outcome] | None" = None


async def outcome_of(
    work: Awaitable[Step],
    *,
    prompt_id: str | None,
    session_id: str | None,
    request_id: str,
) -> Outcome:
    """An answer to one prompt; if it is refused or fails, that is told in its result.

    An exception that is no `ServiceError` is not this prompt's own: it passes.
    """
    started = time.monotonic()

    async def then(more: Work[SegmentResponse]) -> Outcome:
        return await outcome_of(
            _last(more), prompt_id=prompt_id, session_id=session_id, request_id=request_id
        )

    try:
        with span("prompt"):
            step = await work
        rest = None if step.rest is None else partial(then, step.rest)
        return Outcome(step.response, rest=rest)
    except ServiceError as error:
        log_failure(error, request_id, "one prompt of request")
        wait_s = retry_after_s(error)
        told = ResultError(
            code=error.code,
            message=public_message(error, request_id),
            retry_after_ms=None if wait_s is None else wait_s * 1000,
        )
        response = SegmentResponse(
            image=None,
            session_id=session_id,
            results=(Result(prompt_id, (), None, route=None, error=told),),
            warnings=(),
            timings_ms=Timings(total=(time.monotonic() - started) * 1000),
        )
        return Outcome(response, error)


async def _last(work: Work[SegmentResponse]) -> Step:
    return Step(await work())
