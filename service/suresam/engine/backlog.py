"""Work of requests in progress, and how long a newcomer would wait behind it."""

from collections import Counter
from collections.abc import Callable, Mapping

from suresam.engine.scheduler import DECODE, ENCODE

Rows = Mapping[tuple[str, str], int]
"""How many rows, by stage and model."""


class Backlog:
    """Counts rows from the moment their request is let in. Used by the event loop alone.

    Args:
        work_ms: device milliseconds of so many rows, by the cost table.
        encode_share: of the device's time that encodes get while decodes wait as well.
    """

    def __init__(self, work_ms: Callable[[Rows], float], encode_share: float) -> None:
        self._work_ms = work_ms
        self._encode_share = encode_share
        self._rows: Counter[tuple[str, str]] = Counter()

    def add(self, rows: Rows) -> None:
        """Work comes in."""
        for key, count in rows.items():
            self._rows[key] += count

    def remove(self, rows: Rows) -> None:
        """A request's work is done or given up, all of it."""
        for key, count in rows.items():
            self._rows[key] -= count
            if not self._rows[key]:
                del self._rows[key]

    def total_ms(self) -> float:
        """Device milliseconds of everything."""
        return self._work_ms(self._rows)

    def wait_ms(self, rows: Rows) -> float:
        """Milliseconds until the device would come to these rows.

        Decodes wait for decodes, for the share of encodes that goes between, and for the encode
        that runs. Encodes wait for everything, and for their share of the device to be enough for
        those before: decodes that come later pass them, and more than that share is not theirs.
        """
        total_ms = self.total_ms()
        encodes, decodes = self._of(ENCODE), self._of(DECODE)
        if any(stage == ENCODE for stage, _ in rows):
            return max(total_ms, self._work_ms(encodes) / self._encode_share)
        if not encodes:
            return total_ms
        running_ms = max(self._work_ms({key: 1}) for key in encodes)
        return min(total_ms, self._work_ms(decodes) / (1 - self._encode_share) + running_ms)

    def is_next(self, rows: Rows) -> bool:
        """Whether these rows wait for nobody but the launch that runs."""
        stages = {stage for stage, _ in rows}
        return not self._rows if ENCODE in stages else not self._of(DECODE)

    def _of(self, stage: str) -> dict[tuple[str, str], int]:
        return {key: n for key, n in self._rows.items() if key[0] == stage}

    def own_ms(self, rows: Rows) -> float:
        """Milliseconds that these rows take themselves."""
        return self._work_ms(rows)
