"""Where pictures are read: a few at a time, so many pixels at a time, fair to tenants."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from suresam.engine.fair_queue import FairQueue

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Ticket:
    """Somebody who wants to read a picture: a `Waiting` of the fair queue.

    Attributes:
        num_pixels: that are in memory while it is read and used.
        entered: when it is its turn.
        num_users: of its pixels: the thread that makes them, and who asked for them.
    """

    tenant: str
    deadline: float
    num_pixels: int
    entered: "asyncio.Future[None]"
    num_users: int = 2
    stage: str = field(default="read", init=False)
    model: str = field(default="", init=False)
    turn: int = field(default=0, init=False)
    is_background: bool = field(default=False, init=False)

    @property
    def bucket(self) -> None:
        return None


class ReadingRoom:
    """Reads pictures in threads. Used by the event loop alone.

    Next is the tenant for whom the threads have worked least, so that nobody waits behind another's
    row of pictures, and of one tenant's pictures the most urgent. A picture that is read is not
    stopped: who asked may leave, but its place and its pixels are free only when it is done.
    One tenant may have half of the pixels, so that others need not wait until those are used.

    Args:
        pool: reads.
        num_places: pictures that are read at a time.
        max_pixels: of all that are read or still used. One picture alone may have more.
    """

    def __init__(self, pool: Executor, num_places: int, max_pixels: int) -> None:
        self._pool = pool
        self._num_places = num_places
        self._max_pixels = max_pixels
        self._pixels: Counter[str] = Counter()
        self._waiting: FairQueue[_Ticket] = FairQueue()
        self._parked: dict[str, list[_Ticket]] = {}

    @property
    def num_pixels(self) -> int:
        """Of all pictures that are read or used."""
        return sum(self._pixels.values())

    @asynccontextmanager
    async def read(
        self, tenant: str, deadline: float, num_pixels: int, work: Callable[[], T]
    ) -> AsyncIterator[T]:
        """What `work` makes, for the length of an `async with` block.

        Args:
            tenant: for whom.
            deadline: when its caller leaves, monotonic seconds.
            num_pixels: of the picture; 0 for what takes no memory by the pixel.
            work: called in a thread.
        """
        loop = asyncio.get_running_loop()
        ticket = _Ticket(tenant, deadline, num_pixels, loop.create_future())
        self._waiting.add(ticket)
        self._let_in()
        try:
            await ticket.entered
        except asyncio.CancelledError:
            if ticket in self._parked.get(tenant, ()):
                self._parked[tenant].remove(ticket)
            elif not self._waiting.remove(ticket):  # let in at this very moment
                self._num_places += 1
                self._give_back(ticket)
            self._let_in()
            raise
        try:
            yield await self._in_thread(ticket, work)
        finally:
            self._release(ticket)

    async def _in_thread(self, ticket: _Ticket, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        spent_ms = 0.0

        def timed() -> T:
            nonlocal spent_ms
            started = time.monotonic()
            try:
                return work()
            finally:
                spent_ms = (time.monotonic() - started) * 1000

        def leave() -> None:
            self._num_places += 1
            self._waiting.charge(ticket.tenant, spent_ms)
            self._release(ticket)

        def tell(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
                loop.call_soon_threadsafe(leave)

        reading = self._pool.submit(timed)
        reading.add_done_callback(tell)
        return await asyncio.wrap_future(reading)

    def _let_in(self) -> None:
        while self._num_places and (first := self._waiting.first()) is not None:
            its = self._pixels[first.tenant]
            if its and its + first.num_pixels > self._max_pixels // 2:
                self._waiting.pop()
                self._parked.setdefault(first.tenant, []).append(first)
                continue
            if self.num_pixels and self.num_pixels + first.num_pixels > self._max_pixels:
                return
            self._waiting.pop()
            self._num_places -= 1
            self._pixels[first.tenant] += first.num_pixels
            if not first.entered.done():
                first.entered.set_result(None)

    def _release(self, ticket: _Ticket) -> None:
        ticket.num_users -= 1
        if not ticket.num_users:
            self._give_back(ticket)
        self._let_in()

    def _give_back(self, ticket: _Ticket) -> None:
        """Free its pixels, for which its tenant's others may have been kept apart."""
        tenant = ticket.tenant
        self._pixels[tenant] -= ticket.num_pixels
        if not self._pixels[tenant]:
            del self._pixels[tenant]
        for parked in self._parked.pop(tenant, ()):
            self._waiting.add(parked)
