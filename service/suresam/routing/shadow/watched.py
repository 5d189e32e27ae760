"""An engine that knows when its callers are there, and a question that gives way to them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from suresam.domain import ModelInfo, Session, SessionImage
from suresam.engine.client import (
    AddImageCall,
    CreateSessionCall,
    EngineClient,
    SegmentCall,
    SegmentReply,
)

if TYPE_CHECKING:
    from prometheus_client import Metric

_MOST_GIVING_WAY_S = 0.1
"""What gives way is out of the engine within some turns of the event loop. If ever it is not, a
caller does not wait for it."""


class WatchedEngine:
    """An `EngineClient` in front of another one. Used by the event loop alone.

    Args:
        engine: answers.
        clock: monotonic seconds.
    """

    def __init__(self, engine: EngineClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._num_inside = 0
        self._quiet_since = clock()
        self._aside: asyncio.Task[SegmentReply] | None = None

    def quiet_s(self) -> float:
        """Seconds since the last caller left; 0 while somebody is inside."""
        return 0.0 if self._num_inside else self._clock() - self._quiet_since

    async def ask_aside(self, call: SegmentCall) -> SegmentReply | None:
        """Ask while nobody else does; None if a caller came before there was an answer.

        Callers find the engine as if this had never been asked, but for the launch that runs.

        Raises:
            ServiceError: the engine's.
        """
        assert self._aside is None, "one question at a time"
        if self._num_inside:
            return None
        task = self._aside = asyncio.ensure_future(self._engine.segment(call))
        try:
            await asyncio.wait({task})
        finally:
            self._aside = None
            if not task.done():  # it is we who are cancelled
                task.cancel()
                await asyncio.wait({task})
        return None if task.cancelled() else task.result()

    async def segment(self, call: SegmentCall) -> SegmentReply:
        """Answer prompts on an uploaded image or a session's."""
        async with self._caller():
            return await self._engine.segment(call)

    async def create_session(self, call: CreateSessionCall) -> Session:
        """Keep images under an id, embedded and ready for clicks."""
        async with self._caller():
            return await self._engine.create_session(call)

    async def add_image(self, call: AddImageCall) -> SessionImage:
        """Add an image to a session."""
        async with self._caller():
            return await self._engine.add_image(call)

    async def get_session(self, tenant: str, session_id: str) -> Session:
        """A session's state; looking at it keeps it alive."""
        return await self._engine.get_session(tenant, session_id)

    async def delete_session(self, tenant: str, session_id: str) -> None:
        """Forget a session and its images."""
        await self._engine.delete_session(tenant, session_id)

    async def models(self) -> tuple[ModelInfo, ...]:
        """The members, cheapest first, with their measured cost."""
        return await self._engine.models()

    async def metrics(self) -> "tuple[Metric, ...]":
        """What is counted elsewhere than in this process's own metrics."""
        return await self._engine.metrics()

    def is_ready(self) -> bool:
        """Whether a device has all members warm and its worker alive."""
        return self._engine.is_ready()

    @contextlib.asynccontextmanager
    async def _caller(self) -> AsyncIterator[None]:
        self._num_inside += 1
        try:
            if self._aside is not None:
                self._aside.cancel()
                await asyncio.wait({self._aside}, timeout=_MOST_GIVING_WAY_S)
            yield
        finally:
            self._num_inside -= 1
            self._quiet_since = self._clock()
