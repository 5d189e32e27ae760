"""Who may come in: bounds on requests and on work in progress, and the answer to those outside."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from suresam.engine.backlog import Backlog, Rows
from suresam.engine.pace import Pace
from suresam.errors import NotReady, Overloaded, ShuttingDown
from suresam.telemetry import Telemetry

Kind = Literal["click", "upload"]

_SHORTEST_RETRY_S = 0.1
_SHARES_OF_DEADLINE: Mapping[Kind, float] = {"click": 0.5, "upload": 0.2}
"""Of the time until the deadline that answers may take in the mean where a newcomer is let in. Many
take longer than the mean; and pictures that wait hold memory and cores, and have clicks behind
them."""

_DEVICE_SHARE = 0.8
"""Of that time, what the device may need. The rest is for reading and writing."""

_RETRY_SPREAD = 0.2
"""Part by which waits are lengthened at random, so that those sent away do not return as one."""


class Admission:
    """Counts requests, and the work that they bring. Used by the event loop alone.

    Args:
        max_in_flight: requests at a time.
        backlog: work in progress.
        is_ready: whether the device can work.
        telemetry: counts refusals.
        busy_at: requests of a kind, from which on the pace of their answers says something.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        max_in_flight: int,
        backlog: Backlog,
        is_ready: Callable[[], bool],
        telemetry: Telemetry,
        busy_at: int = 16,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._backlog = backlog
        self._is_ready = is_ready
        self._telemetry = telemetry
        self._clock = clock
        self._paces: dict[Kind, Pace] = {"click": Pace(busy_at), "upload": Pace(busy_at)}
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
    def permit(self, kind: Kind, remaining_ms: float) -> Iterator[None]:
        """The right to be in the engine, for the length of a `with` block.

        Who would use up too much of the time until the deadline, at the pace at which requests of
        this kind are answered just now, is refused.

        Args:
            kind: requests with pictures take other ways than those without.
            remaining_ms: until the caller's deadline.

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
        pace = self._paces[kind]
        stay_ms, most_ms = pace.stay_ms(), _SHARES_OF_DEADLINE[kind] * remaining_ms
        if stay_ms > most_ms:
            self._refuse("pace")
            raise Overloaded(
                f"answers take {stay_ms:.0f} ms just now (let in below {max(most_ms, 0):.0f} ms, "
                f"with {max(remaining_ms, 0):.0f} ms until the deadline)",
                retry_after_s=_retry_s(stay_ms - most_ms),
            )
        self._in_flight += 1
        self._is_empty.clear()
        pace.enter(self._clock())
        try:
            yield
        finally:
            pace.leave(self._clock())
            self._in_flight -= 1
            if self._in_flight == 0:
                self._is_empty.set()

    @contextlib.contextmanager
    def work(self, rows: Rows, remaining_ms: float) -> Iterator[None]:
        """The right to use the device, for the length of a `with` block.

        Work that cannot be done in time, behind what was let in before, is refused at once: it
        would cost the device and help nobody. Who is next may try, whatever the cost table says:
        a table that turned everybody away would never be corrected.

        Args:
            rows: how many, by stage and model.
            remaining_ms: until the caller's deadline.

        Raises:
            Overloaded: with the time after which the same request would be let in.
        """
        wait_ms, own_ms = self._backlog.wait_ms(rows), self._backlog.own_ms(rows)
        most_ms = _DEVICE_SHARE * remaining_ms
        if rows and wait_ms + own_ms > most_ms and not self._backlog.is_next(rows):
            self._refuse("wait")
            raise Overloaded(
                f"the answer would take {wait_ms + own_ms:.0f} ms, {wait_ms:.0f} ms of them "
                f"waiting for others (until the deadline {max(remaining_ms, 0):.0f} ms)",
                retry_after_s=_retry_s(wait_ms + own_ms - most_ms),
            )
        self._backlog.add(rows)
        try:
            yield
        finally:
            self._backlog.remove(rows)

    def _refuse(self, reason: str) -> None:
        self._telemetry.rejected.labels(reason).inc()


def _retry_s(wait_ms: float) -> float:
    spread = 1 + _RETRY_SPREAD * random.random()  # noqa: S311  (no secret)
    return max(_SHORTEST_RETRY_S, wait_ms / 1000) * spread
