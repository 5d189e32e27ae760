"""What happened in a phase, as it happens."""

import asyncio
from collections.abc import Callable

from suresam.benchmarks.serve.aim import Aim
from suresam.benchmarks.serve.exchange import Exchange, ExchangeKind, Reply


class PhaseLog:
    """Exchanges and the generator's own lag.

    Args:
        origin_s: when the phase began, by the event loop's clock.
        seconds: its length.
        tell: called after every click.

    Attributes:
        exchanges: in the order of their ends.
        lags_ms: how late the generator was, for every request that had its time.
    """

    def __init__(self, origin_s: float, seconds: float, tell: Callable[[], None]) -> None:
        self.origin_s = origin_s
        self.seconds = seconds
        self.exchanges: list[Exchange] = []
        self.lags_ms: list[float] = []
        self._tell = tell
        self._now = asyncio.get_running_loop().time

    def now_s(self) -> float:
        """Seconds since the phase began."""
        return self._now() - self.origin_s

    async def wait_until(self, time_s: float) -> None:
        """Sleep until a time of the phase, and note how late it has become."""
        await asyncio.sleep(max(0.0, time_s - self.now_s()))
        self.lags_ms.append((self.now_s() - time_s) * 1000)

    def add(
        self,
        kind: ExchangeKind,
        intended_s: float,
        sent_s: float,
        reply: Reply,
        aim: Aim | None = None,
    ) -> None:
        """Take in what became of a request, by its times in the phase; a click's with its aim."""
        exchange = Exchange(
            kind,
            intended_s,
            sent_s,
            reply.received_s - self.origin_s,
            reply.code,
            reply.has_retry_after,
            reply.receipt,
            aim,
            None if aim is None or aim.truth is None else reply.mask,
        )
        self.exchanges.append(exchange)
        if kind == "click":
            self._tell()
