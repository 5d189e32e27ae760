"""Who may come in: a bound on requests at a time, and a door that closes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from suresam.engine.admission import retry_s
from suresam.engine.pace import Pace
from suresam.errors import NotReady, Overloaded, ShuttingDown
from suresam.telemetry import Telemetry

Kind = Literal["click", "upload"]

_SHARES_OF_DEADLINE: Mapping[Kind, float] = {"click": 0.5, "upload": 0.2}
"""Of the time until the deadline that answers may take in the mean where a newcomer is let in. Many
take longer than the mean; and pictures that wait hold memory and cores, and have clicks behind
them."""


class Permits:
    """Counts requests. Used by the event loop alone.

    Args:
        max_in_flight: requests at a time.
        backlog_ms: device milliseconds of the work in progress.
        is_ready: whether any device can work.
        telemetry: counts refusals.
        busy_at: requests of a kind, from which on the pace of their answers says something.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        max_in_flight: int,
        backlog_ms: Callable[[], float],
        is_ready: Callable[[], bool],
        telemetry: Telemetry,
        busy_at: int = 16,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._backlog_ms = backlog_ms
        self._is_ready = is_ready
        self._telemetry = telemetry
        self._clock = clock
        self._paces: dict[Kind, Pace] = {"click": Pace(busy_at), "upload": Pace(busy_at)}
        self._in_flight = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_closed = False
        telemetry.requests_in_flight.set_function(lambda: self._in_flight)

    @property
    def is_closed(self) -> bool:
        """Whether nobody is let in any more."""
        return self._is_closed

    async def close(self, wait_s: float) -> None:
        """Let nobody in any more, and wait at most `wait_s` seconds for those inside."""
        self._is_closed = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._is_empty.wait(), wait_s)

    def check_open(self) -> None:
        """Whether anybody may come in at all.

        Raises:
            ShuttingDown, NotReady
        """
        if self._is_closed:
            self._refuse("shutting_down")
            raise ShuttingDown("the server is stopping")
        if not self._is_ready():
            self._refuse("not_ready")
            raise NotReady("the models are not ready yet")

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
        self.check_open()
        if self._in_flight >= self._max_in_flight:
            self._refuse("in_flight")
            raise Overloaded(
                f"{self._in_flight} requests are in progress (limit {self._max_in_flight})",
                retry_after_s=retry_s(self._backlog_ms()),
            )
        pace = self._paces[kind]
        stay_ms, most_ms = pace.stay_ms(self._clock()), _SHARES_OF_DEADLINE[kind] * remaining_ms
        if stay_ms > most_ms:
            self._refuse("pace")
            raise Overloaded(
                f"answers take {stay_ms:.0f} ms just now (let in below {max(most_ms, 0):.0f} ms, "
                f"with {max(remaining_ms, 0):.0f} ms until the deadline)",
                retry_after_s=retry_s(stay_ms - most_ms),
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

    def _refuse(self, reason: str) -> None:
        self._telemetry.rejected.labels(reason).inc()
