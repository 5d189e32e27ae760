"""When a refused call is tried again, and when no more."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from suresam.errors import (
    CapacityError,
    NotReady,
    Overloaded,
    ShuttingDown,
    WorkerFailed,
)

DEADLINE_GRACE_S = 1.0
"""Seconds beyond the deadline in which the server's own word on it may still arrive."""

_RETRIED = (Overloaded, NotReady, WorkerFailed, ShuttingDown)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after what pause.

    The pause before the n-th retry is drawn from [1/2, 1] of `base_delay_s * 2**(n - 1)`, so that
    callers who were refused together do not come back together. Where the server says when to
    come back, no retry comes earlier.

    Attributes:
        max_attempts: calls in all; 1 never tries again.
        base_delay_s: seconds before the first retry.
        max_delay_s: seconds that the pause grows to. A server that asks for more is not waited for.
    """

    max_attempts: int = 4
    base_delay_s: float = 0.2
    max_delay_s: float = 30.0


class Retries:
    """The attempts of one call.

    Args:
        policy: how often and after what pause.
        deadline_ms: milliseconds that the caller gives all attempts together, or None.
        clock: monotonic seconds.
        draw: a number from [0, 1).
    """

    def __init__(
        self,
        policy: RetryPolicy,
        deadline_ms: float | None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._draw = draw
        self._deadline_ms = deadline_ms
        self._started = clock()
        self._num_failed = 0

    def remaining_ms(self) -> float | None:
        """Milliseconds left for the next attempt; None without a deadline.

        The first attempt has what the caller gave, whatever that is: the server says what is wrong
        with it. Later ones have at least 1 ms.
        """
        if self._deadline_ms is None or self._num_failed == 0:
            return self._deadline_ms
        return max(1.0, self._deadline_ms - (self._clock() - self._started) * 1000)

    def pause_s(self, error: CapacityError) -> float:
        """Seconds to wait after a failed attempt, before the next.

        Raises:
            CapacityError: `error` itself, if it must not be tried again: another kind of failure,
                the last attempt, or a pause that is too long or would outlast the deadline.
        """
        self._num_failed += 1
        if not isinstance(error, _RETRIED) or self._num_failed >= self._policy.max_attempts:
            raise error
        growth = self._policy.base_delay_s * 2.0 ** (self._num_failed - 1)
        jittered = min(growth, self._policy.max_delay_s) * (1 + self._draw()) / 2
        pause_s = max(jittered, error.retry_after_s or 0.0)
        remaining_ms = self.remaining_ms()
        is_too_late = remaining_ms is not None and pause_s * 1000 >= remaining_ms
        if pause_s > self._policy.max_delay_s or is_too_late:
            raise error
        return pause_s


def attempt_timeout_s(remaining_ms: float | None, default_s: float) -> float:
    """Seconds after which an attempt is given up without an answer.

    Args:
        remaining_ms: milliseconds left of the deadline, or None.
        default_s: for calls without a deadline, and for deadlines that the server will refuse.
    """
    if remaining_ms is None or not 0 < remaining_ms < math.inf:
        return default_s
    return remaining_ms / 1000 + DEADLINE_GRACE_S
