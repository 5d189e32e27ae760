"""A token bucket that may run into debt. Reads no clock."""

from dataclasses import dataclass

_ROUNDING = 1e-9
"""Tokens that may be missing: who waited as long as was said is not refused for the last bit."""


@dataclass(slots=True)
class TokenBucket:
    """Tokens come at a rate, up to what the bucket holds.

    Attributes:
        rate: tokens a second, above 0.
        capacity: tokens that a full bucket holds, above 0.
        level: tokens in it at `now_s`; negative is a debt.
        now_s: monotonic seconds of the last look.
    """

    rate: float
    capacity: float
    level: float
    now_s: float

    def wait_s(self, tokens: float, now_s: float) -> float:
        """Seconds until so many tokens are there; 0 if they are.

        Args:
            tokens: at most the capacity.
            now_s: monotonic seconds; an earlier time than the last counts as the last.
        """
        missing = tokens - self.level_at(now_s)
        return missing / self.rate if missing > _ROUNDING else 0.0

    def take(self, tokens: float, now_s: float) -> None:
        """Take tokens out, whether they are there or not."""
        self.level = self.level_at(now_s) - tokens

    def level_at(self, now_s: float) -> float:
        """Tokens that are in it by now."""
        if now_s > self.now_s:
            self.level = min(self.capacity, self.level + (now_s - self.now_s) * self.rate)
            self.now_s = now_s
        return self.level
