"""What one tenant asks for and spends, held to its limits."""

import contextlib
import time
from collections.abc import Callable, Iterator

from suresam.access.bucket import TokenBucket
from suresam.access.limits import KeyLimits
from suresam.errors import RateLimited
from suresam.telemetry import Telemetry

_FIRST_STAY_S = 1.0
"""Seconds that a request is thought to take before any has ended."""

_NEWEST = 0.2
"""Weight of the newest request in their mean length."""


class Account:
    """One tenant's requests and device time. Used by the event loop alone.

    Args:
        limits: that hold.
        telemetry: counts refusals.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        limits: KeyLimits,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        """That hold now; see `change`."""
        self._telemetry = telemetry
        self._clock = clock
        self._num_running = 0
        self._stay_s = _FIRST_STAY_S
        self._requests: TokenBucket | None = None
        self._device_ms: TokenBucket | None = None
        self.change(limits)

    def change(self, limits: KeyLimits) -> None:
        """Other limits from now on; what is in progress and what is owed stays."""
        self.limits = limits
        per_s, burst = limits.requests_per_s, limits.burst
        self._requests = self._bucket(self._requests, per_s, burst or max(1.0, per_s or 0.0))
        device_ms = limits.device_ms_per_s
        self._device_ms = self._bucket(self._device_ms, device_ms, device_ms or 0.0)

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """The right to one request, for the length of a `with` block.

        Raises:
            RateLimited: a limit is reached; nothing was taken.
        """
        self._take(self.limits.concurrent)
        started = self._clock()
        self._num_running += 1
        try:
            yield
        finally:
            self._num_running -= 1
            self._stay_s += _NEWEST * (self._clock() - started - self._stay_s)

    def prompt(self) -> None:
        """The right to one more prompt of a stream, which is itself a request in progress.

        Raises:
            RateLimited: a limit is reached; nothing was taken.
        """
        self._take(None)

    def charge(self, device_ms: float) -> None:
        """Count device time that was spent, milliseconds."""
        if self._device_ms is not None:
            self._device_ms.take(device_ms, self._clock())

    def _take(self, concurrent: int | None) -> None:
        now_s = self._clock()
        limits = self.limits
        # The longest first: whoever comes back then is not refused for the next reason.
        refusals: list[tuple[float, str, str]] = []
        if concurrent is not None and self._num_running >= concurrent:
            told = f"{self._num_running} requests are in progress (limit {concurrent}"
            refusals.append((self._stay_s / concurrent, "concurrent", told))
        if self._requests is not None and (wait_s := self._requests.wait_s(1.0, now_s)):
            told = f"too many requests (limit {limits.requests_per_s:g} a second"
            refusals.append((wait_s, "requests_per_s", told))
        if self._device_ms is not None and (wait_s := self._device_ms.wait_s(0.0, now_s)):
            told = (
                f"{-self._device_ms.level:.0f} ms of device time are owed "
                f"(limit {limits.device_ms_per_s:g} ms a second"
            )
            refusals.append((wait_s, "device_ms_per_s", told))
        if refusals:
            wait_s, reason, told = max(refusals)
            self._telemetry.rejected.labels(reason).inc()
            raise RateLimited(f"{told} for this key); again in {wait_s:.3g} s", wait_s)
        if self._requests is not None:
            self._requests.take(1.0, now_s)

    def _bucket(
        self, before: TokenBucket | None, rate: float | None, capacity: float
    ) -> TokenBucket | None:
        if rate is None:
            return None
        now_s = self._clock()
        level = capacity if before is None else min(capacity, before.level_at(now_s))
        return TokenBucket(rate, capacity, level, now_s)
