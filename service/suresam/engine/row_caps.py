"""Rows that a launch may have after the device ran out of memory."""

import math
from collections.abc import Callable

_LOWERED_S = 60.0


class RowCaps:
    """No cap at first; one for a minute when memory ran out.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lowered: dict[tuple[str, str], tuple[int, float]] = {}

    def lower(self, stage: str, model: str, rows: int) -> None:
        """Nothing above so many rows for a while."""
        self._lowered[stage, model] = (rows, self._clock() + _LOWERED_S)

    def __call__(self, stage: str, model: str) -> float:
        """Rows of one launch at most."""
        cap, until = self._lowered.get((stage, model), (math.inf, math.inf))
        # Never deleted: the event loop asks while the worker lowers.
        return math.inf if self._clock() >= until else cap
