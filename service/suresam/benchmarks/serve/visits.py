"""What visitors will do and when: the whole load of a phase, planned from a seed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from suresam.benchmarks.serve.arrivals import arrival_times

VisitorKind = Literal["annotator", "bulk", "canceller", "staller"]
"""Annotators upload a picture and click on it. Bulk uploaders send pictures with one click each,
back to back. Cancellers are annotators who hang up on every click before its answer. Stallers
upload a picture slowly and leave."""

THINK_SIGMA = 0.5
"""Standard deviation of the logarithm of the pause between two clicks."""

_HANG_UP_S = 0.02
"""A canceller hangs up so many seconds after the click at most."""

_LEAD_VISITS = 6.0
"""How many mean visits before a phase its visitors may have come: all but e**-6 of those who
would still be there."""


_DRAWS = 30
_CLOSE_SHARE = 0.03
"""Plans that are drawn at most, and how near to the wanted number of clicks is near enough."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a phase is made of.

    Attributes:
        rate: clicks a second of annotators, in the mean and from the first second on.
        burstiness: coefficient of variation of the gaps between visitors; 1 is Poisson.
        mean_clicks: of a visit; their number is geometric.
        think_s: median pause between two clicks of a visitor, log-normal, seconds.
        bulk, cancel, stall: shares of all visitors who are of that kind.
    """

    rate: float
    burstiness: float = 1.0
    mean_clicks: float = 6.0
    think_s: float = 1.0
    bulk: float = 0.05
    cancel: float = 0.05
    stall: float = 0.02

    @property
    def visits_per_s(self) -> float:
        """Visitors a second, of all kinds."""
        return self.rate / self.mean_clicks / (1 - self.bulk - self.cancel - self.stall)


@dataclass(frozen=True, slots=True)
class Click:
    """A click that is to be sent at a time, whatever became of those before.

    Attributes:
        time_s: seconds since the phase began.
        x, y: place, as shares of the picture's width and height.
        hang_up_s: seconds after which the visitor leaves; None waits for the answer.
    """

    time_s: float
    x: float
    y: float
    hang_up_s: float | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One visitor.

    Attributes:
        kind: what the visitor does.
        start_s: when the upload is to be sent; below 0 for a visitor who is there already as the
            phase begins, and whose picture is uploaded beforehand.
        clicks: within the phase; of a bulk uploader only the places count.
    """

    kind: VisitorKind
    start_s: float
    clicks: tuple[Click, ...]

    @property
    def is_there(self) -> bool:
        """Whether the visit began before the phase."""
        return self.start_s < 0


def plan_visits(load: Load, seconds: float, rng: np.random.Generator) -> list[Visit]:
    """All visits that have something to do within a phase, by their start.

    The phase begins in the middle of things: visitors who came before it are there and click on,
    so the rate of clicks is the same in its first second as in its last. Visits are few and their
    clicks many, so the clicks of a short phase would scatter widely round their number: several
    plans are drawn, and the one that comes nearest is taken.

    Args:
        load: what they do.
        seconds: length of the phase; what would come later is left out.
        rng: draws everything.
    """
    wanted = load.rate * seconds
    best: list[Visit] = []
    for _ in range(_DRAWS):
        plan = _draw_visits(load, seconds, rng)
        if not best or abs(num_clicks(plan) - wanted) < abs(num_clicks(best) - wanted):
            best = plan
        if abs(num_clicks(best) - wanted) <= _CLOSE_SHARE * wanted:
            break
    return best


def num_clicks(visits: list[Visit]) -> int:
    """Clicks of annotators, who wait for their answers."""
    return sum(len(visit.clicks) for visit in visits if visit.kind == "annotator")


def _draw_visits(load: Load, seconds: float, rng: np.random.Generator) -> list[Visit]:
    pause_s = load.think_s * float(np.exp(THINK_SIGMA**2 / 2))
    lead_s = _LEAD_VISITS * load.mean_clicks * pause_s
    starts = arrival_times(load.visits_per_s, -lead_s, seconds, load.burstiness, rng)
    visits = [_visit(load, float(start), seconds, rng) for start in starts]
    # Of those who came before, only who clicks on can be noticed.
    return [visit for visit in visits if not visit.is_there or visit.clicks]


def _visit(load: Load, start: float, seconds: float, rng: np.random.Generator) -> Visit:
    kinds: tuple[VisitorKind, ...] = ("bulk", "canceller", "staller", "annotator")
    shares = np.cumsum((load.bulk, load.cancel, load.stall))
    kind = kinds[int(np.searchsorted(shares, rng.random(), side="right"))]
    number = int(rng.geometric(1 / load.mean_clicks))
    times = start + np.cumsum(rng.lognormal(np.log(load.think_s), THINK_SIGMA, number))
    places = 0.1 + 0.8 * rng.random((number, 2))
    leaves = rng.random(number) * _HANG_UP_S
    is_leaving = kind == "canceller"
    clicks = (
        Click(float(time), float(x), float(y), float(leave) if is_leaving else None)
        for time, (x, y), leave in zip(times, places, leaves, strict=True)
    )
    if kind == "staller" or (kind == "bulk" and start < 0):
        return Visit(kind, start, ())
    if kind == "bulk":
        return Visit(kind, start, tuple(clicks))
    return Visit(kind, start, tuple(click for click in clicks if 0 <= click.time_s < seconds))
