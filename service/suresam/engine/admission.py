"""Who may come in: bounds on requests and on work in progress, and the answer to those outside."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator

from suresam.engine.backlog import Backlog, Rows
from suresam.engine.work import Work
from suresam.errors import NotReady, Overloaded, ShuttingDown
from suresam.telemetry import Telemetry

_SHORTEST_RETRY_S = 0.1
_RETRY_SPREAD = 0.2
"""Part by which waits are lengthened at random, so that those sent away do not return as one."""


class Admission:
    """Counts requests, and the work that they bring. Used by the event loop alone.

    Args:
        max_in_flight: requests at a time.
        backlog: work in progress.
        is_ready: whether the device can work.
        telemetry: counts refusals.
    """

    def __init__(
        self,
        max_in_flight: int,
        backlog: Backlog,
        is_ready: Callable[[], bool],
        telemetry: Telemetry,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._backlog = backlog
        self._is_ready = is_ready
        self._telemetry = telemetry
        self._in_flight = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_closed = False

    async def close(self, wait_s: float) -> None:
        """Let nobody in any more, and wait at most `wait_s` seconds for those inside."""
        self._is_closed = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._is_empty.wait(), wait_s)

    @contextlib.contextmanager
    def permit(self) -> Iterator[None]:
        """The right to be in the engine, for the length of a `with` block.

        Raises:
            ShuttingDown, NotReady, Overloaded
        """
        if self._is_closed:
            self._refuse("shutting_down")
            raise ShuttingDown("the server is stopping")
        if not self._is_ready():
            self._refuse("not_ready")
            raise NotReady("the models are not ready yet")
        if self._in_flight >= self._max_in_flight:
            self._refuse("in_flight")
            raise Overloaded(
                f"{self._in_flight} requests are in progress (limit {self._max_in_flight})",
                retry_after_s=_retry_s(self._backlog.total_ms()),
            )
        self._in_flight += 1
        self._is_empty.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._is_empty.set()

    @contextlib.contextmanager
    def work(self, rows: Rows, remaining_ms: float) -> Iterator[Work]:
        """The right to use the device, for the length of a `with` block.

        Work that cannot be done in time, behind what was let in before, is refused at once: it
        would cost the device and help nobody. Where nothing is in progress it may try.

        Args:
            rows: how many, by stage and model.
            remaining_ms: until the caller's deadline.

        Raises:
            Overloaded: with the time after which the same request would be let in.
        """
        wait_ms, own_ms = self._backlog.wait_ms(rows), self._backlog.own_ms(rows)
        if rows and wait_ms > 0 and wait_ms + own_ms > remaining_ms:
            self._refuse("wait")
            raise Overloaded(
                f"the answer would take {wait_ms + own_ms:.0f} ms, {wait_ms:.0f} ms of them "
                f"waiting for others (until the deadline {max(remaining_ms, 0):.0f} ms)",
                retry_after_s=_retry_s(wait_ms + own_ms - remaining_ms),
            )
        work = Work(self._backlog, rows)
        try:
            yield work
        finally:
            work.give_up()

    def _refuse(self, reason: str) -> None:
        self._telemetry.rejected.labels(reason).inc()


def _retry_s(wait_ms: float) -> float:
    spread = 1 + _RETRY_SPREAD * random.random()  # noqa: S311  (no secret)
    return max(_SHORTEST_RETRY_S, wait_ms / 1000) * spread
