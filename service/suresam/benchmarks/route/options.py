"""What a measurement of routing is to do, checked."""

import math
from dataclasses import dataclass

from suresam.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """Of one measurement. Fields are called as their options on the command line.

    Attributes:
        low, overload: what is offered, as parts of the capacity.
        capacity: clicks a second that the small member answers; None measures it.
        rounds: how often every load is offered in either mode.
        seconds: of each phase.
        people: who measure the capacity.
        clicks: mean number on a picture.
        think: median seconds between two clicks of a visitor.
        deadline_ms: that clicks ask for; None leaves it to the server.
        scenes: different pictures.
        size: their side in pixels.
        max_lag_ms: bound on the generator's own lag, p99.
        timeout: seconds after which an answer is given up.
        seed: of all that is drawn.

    Raises:
        ConfigurationError: a value is out of range.
    """

    low: float = 0.25
    overload: float = 2.0
    capacity: float | None = None
    rounds: int = 3
    seconds: float = 10.0
    people: int = 16
    clicks: float = 6.0
    think: float = 1.0
    deadline_ms: float | None = None
    scenes: int = 60
    size: int = 384
    max_lag_ms: float = 20.0
    timeout: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every value by itself, then together."""
        for name in ("low", "overload", "seconds", "think", "max_lag_ms", "timeout"):
            _check_positive(name, getattr(self, name))
        for name in ("capacity", "deadline_ms"):
            if getattr(self, name) is not None:
                _check_positive(name, getattr(self, name))
        for name in ("rounds", "people", "clicks", "scenes"):
            _check_at_least(name, getattr(self, name), 1)
        _check_at_least("size", self.size, 64)
        _check_at_least("seed", self.seed, 0)
        if self.low >= self.overload:
            raise ConfigurationError(
                f"--low={self.low:g} must be under --overload={self.overload:g}"
            )


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"--{name.replace('_', '-')}={value:g} must be over 0")


def _check_at_least(name: str, value: float, least: int) -> None:
    if not (math.isfinite(value) and value >= least):
        raise ConfigurationError(f"--{name}={value:g} must be at least {least}")
