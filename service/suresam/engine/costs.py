"""What a launch costs: measured at warm-up, corrected while serving."""

import threading

_WEIGHT_OF_NEWEST = 0.1


class CostTable:
    """Device milliseconds of one row, by (stage, model): a moving average over launches."""

    def __init__(self) -> None:
        self._row_ms: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def record(self, stage: str, model: str, rows: int, launch_ms: float) -> None:
        """Take a launch into account."""
        row_ms = launch_ms / rows
        with self._lock:
            known = self._row_ms.get((stage, model), row_ms)
            self._row_ms[stage, model] = known + _WEIGHT_OF_NEWEST * (row_ms - known)

    def row_ms(self, stage: str, model: str) -> float | None:
        """Milliseconds of one row; None before the first launch."""
        with self._lock:
            return self._row_ms.get((stage, model))
