"""How fast requests of one kind are answered, by all that answering takes. Pure: no clock."""

import math

_WINDOW_S = 0.2
_WINDOW_CROWDS = 4
"""A rate is taken of at least so many times the requests that make a crowd, since they leave in
batches: one after the first of a batch would seem to say that the others take as long again."""

_WEIGHT_OF_NEWEST = 0.3


class Pace:
    """Counts requests inside, and learns from those that leave how long a newcomer would stay.

    The cost table knows the device. What reading, decoding and writing cost on busy cores it does
    not: where these are what a service runs out of, only the rate of answers tells. It is taken
    while at least `busy_at` requests are inside all the time, since below that it says how much
    was asked and not how much can be answered. A figure that no crowd has confirmed for as long as
    a crowd would need fades: those whom it keeps out would be the crowd.

    Args:
        busy_at: requests inside, at least 1.

    Source: Little (1961), "A proof for the queuing formula L = lambda W".
    """

    def __init__(self, busy_at: int) -> None:
        self._busy_at = busy_at
        self._num_inside = 0
        self._each_ms: float | None = None
        self._learned_at = 0.0
        self._window_began_s: float | None = None
        self._num_left = 0

    def enter(self, now: float) -> None:
        """A request comes in, at monotonic seconds."""
        self._num_inside += 1
        if self._num_inside == self._busy_at:
            self._begin_window(now)

    def leave(self, now: float) -> None:
        """A request is answered, or its caller left."""
        self._num_inside -= 1
        if self._window_began_s is None:
            return
        self._num_left += 1
        seconds = now - self._window_began_s
        if seconds >= _WINDOW_S and self._num_left >= _WINDOW_CROWDS * self._busy_at:
            each_ms = seconds * 1000 / self._num_left
            old = each_ms if self._each_ms is None else self._each_ms
            self._each_ms = old + _WEIGHT_OF_NEWEST * (each_ms - old)
            self._learned_at = now
            self._begin_window(now)
        if self._num_inside < self._busy_at:
            self._window_began_s = None

    def stay_ms(self, now: float) -> float:
        """Milliseconds until a newcomer would be answered; 0 as long as few are inside."""
        if self._each_ms is None or self._num_inside < self._busy_at:
            return 0.0
        window_s = max(_WINDOW_S, _WINDOW_CROWDS * self._busy_at * self._each_ms / 1000)
        num_missed = (now - self._learned_at) / window_s - 1
        return self._num_inside * self._each_ms * math.exp(-max(0.0, num_missed))

    def _begin_window(self, now: float) -> None:
        self._window_began_s = now
        self._num_left = 0
