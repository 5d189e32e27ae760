"""What a load test is to do, checked."""

import math
from dataclasses import dataclass

from suresam.benchmarks.serve.visits import Load
from suresam.errors import ConfigurationError

DEFAULT_PEOPLE = 16
"""Who measure the capacity."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Of one load test. Fields are called as their options on the command line.

    Attributes:
        rates: clicks a second to offer, one after the other; None chooses by the capacity.
        people: who click without a pause: alone a test of its own, with `overload` those who
            measure the capacity; None is `DEFAULT_PEOPLE`.
        overload: how many times the capacity to offer; None for no overload.
        seconds: of each phase.
        goal_ms: a click answered within it is good.
        max_lag_ms: bound on the generator's own lag, p99.
        timeout: seconds after which an answer is given up.
        load: of visitors; its rate is replaced.
        sizes: of pictures, width and height in pixels.
        seed: of all that is drawn.
        member: who should answer, or None.
        deadline_ms: that clicks ask for; None leaves it to the server.

    Raises:
        ConfigurationError: a value is out of range, or two contradict each other.
    """

    load: Load
    sizes: tuple[tuple[int, int], ...]
    rates: tuple[float, ...] | None = None
    people: int | None = None
    overload: float | None = None
    seconds: float = 8.0
    goal_ms: float = 250.0
    max_lag_ms: float = 20.0
    timeout: float = 30.0
    seed: int = 0
    member: str | None = None
    deadline_ms: float | None = None

    def __post_init__(self) -> None:
        """Check every value by itself, then together."""
        for rate in self.rates or ():
            _check_positive("--rates", rate)
        for name in ("seconds", "goal_ms", "max_lag_ms", "timeout"):
            _check_positive(f"--{name.replace('_', '-')}", getattr(self, name))
        if self.deadline_ms is not None:
            _check_positive("--deadline-ms", self.deadline_ms)
        _check_positive("--think", self.load.think_s)
        _check_positive("--burstiness", self.load.burstiness)
        if not (math.isfinite(self.load.mean_clicks) and self.load.mean_clicks >= 1):
            raise ConfigurationError(f"--clicks={self.load.mean_clicks:g} must be at least 1")
        if self.people is not None and self.people < 1:
            raise ConfigurationError(f"--people={self.people} must be at least 1")
        if self.overload is not None and not (math.isfinite(self.overload) and self.overload > 1):
            raise ConfigurationError(f"--overload={self.overload:g} must be over 1")
        if self.seed < 0:
            raise ConfigurationError(f"--seed={self.seed} must be at least 0")
        shares = (self.load.bulk, self.load.cancel, self.load.stall)
        if not (all(0 <= share < 1 for share in shares) and sum(shares) < 1):
            raise ConfigurationError(
                "--bulk={:g}, --cancel={:g} and --stall={:g} must be shares whose sum is under 1; "
                "the rest of the visitors wait for their answers".format(*shares)
            )
        if self.rates is not None and (self.overload is not None or self.people is not None):
            raise ConfigurationError("--rates says what to offer; it excludes --people, --overload")


def parse_rates(text: str) -> tuple[float, ...]:
    """Rates as in `5,10,20.5`.

    Raises:
        ConfigurationError: it is something else.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigurationError(f"--rates={text!r} is not a list of numbers: R1,R2,...") from None


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name}={value:g} must be over 0")
