"""Who may come in: a bound on requests at a time, and a door that closes."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from suresam.engine.admission import retry_s
from suresam.errors import NotReady, Overloaded, ShuttingDown
from suresam.telemetry import Telemetry


class Permits:
    """Counts requests. Used by the event loop alone.

    Args:
        max_in_flight: requests at a time.
        backlog_ms: device milliseconds of the work in progress.
        is_ready: whether any device can work.
        telemetry: counts refusals.
    """

    def __init__(
        self,
        max_in_flight: int,
        backlog_ms: Callable[[], float],
        is_ready: Callable[[], bool],
        telemetry: Telemetry,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._backlog_ms = backlog_ms
        self._is_ready = is_ready
        self._telemetry = telemetry
        self._in_flight = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nobody is let in any more."""
        return self._is_closed

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
                retry_after_s=retry_s(self._backlog_ms()),
            )
        self._in_flight += 1
        self._is_empty.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._is_empty.set()

    def _refuse(self, reason: str) -> None:
        self._telemetry.rejected.labels(reason).inc()
