"""What a launch costs: measured at warm-up, corrected while serving."""

import itertools
import threading

_WEIGHT_OF_NEWEST = 0.1
_MOST_AT_ONCE = 3.0
"""A launch counts as at most so many times what was expected: a hiccup is no price."""

Key = tuple[str, str]
"""Stage and model."""


class CostTable:
    """Device milliseconds of a launch, by stage, model and number of rows.

    For each number of rows that was launched a moving average; straight lines between them,
    and beyond the largest the price of its rows.
    """

    def __init__(self) -> None:
        self._launches_ms: dict[Key, dict[int, float]] = {}
        self._lock = threading.Lock()

    def record(self, stage: str, model: str, rows: int, launch_ms: float) -> None:
        """Take a launch into account."""
        with self._lock:
            known = self._launches_ms.setdefault((stage, model), {})
            expected = _interpolate(known, rows) if known else launch_ms
            newest = min(launch_ms, _MOST_AT_ONCE * expected)
            old = known.get(rows, newest)
            known[rows] = old + _WEIGHT_OF_NEWEST * (newest - old)

    def launch_ms(self, stage: str, model: str, rows: int) -> float | None:
        """Milliseconds of a launch of so many rows; None before the first one."""
        with self._lock:
            known = self._launches_ms.get((stage, model))
            return None if known is None else _interpolate(known, rows)

    def row_ms(self, stage: str, model: str) -> float | None:
        """Milliseconds of one row alone; None before the first launch."""
        return self.launch_ms(stage, model, 1)


def _interpolate(known: dict[int, float], rows: int) -> float:
    if rows in known:
        return known[rows]
    sizes = sorted(known)
    for low, high in itertools.pairwise(sizes):
        if low < rows < high:
            step_ms = (known[high] - known[low]) / (high - low)
            return known[low] + step_ms * (rows - low)
    nearest = sizes[0] if rows < sizes[0] else sizes[-1]
    return known[nearest] * rows / nearest
