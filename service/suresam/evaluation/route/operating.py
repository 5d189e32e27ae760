"""Who answers at given thresholds, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suresam.evaluation.route.figures import POLICY, SHARES, Routes
from suresam.evaluation.route.ways import chosen_member

USUAL = "usual"
"""The threshold that a request has which names none."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The service's policy at one threshold.

    Attributes:
        name: `USUAL`, or the share of requests that the threshold was looked for.
        min_gain: the threshold, expected gain in IoU.
        answered: by member, share of the requests that it answers.
        iou: mean of the answers.
        spent: by escalating, as a share of asking the last member about every request.
    """

    name: str
    min_gain: float
    answered: Mapping[str, float]
    iou: float
    spent: float


def operating_points(
    routes: Routes, names: Sequence[str], costs: Sequence[float], usual: float
) -> list[OperatingPoint]:
    """At the usual threshold, and at those that spend the shares of `figures.SHARES`.

    Equal gains are on one side of a threshold together, so a share may come out larger than it was
    looked for.

    Args:
        routes: see `figures.routes_of`.
        names: of the members, cheapest first.
        costs: of one request to each of them.
        usual: the threshold of a request that names none.
    """
    wanted = {USUAL: usual}
    wanted |= {f"{share:.0%}": threshold_for(routes, share) for share in SHARES}
    return [_point(routes, names, costs, name, at) for name, at in wanted.items()]


def threshold_for(routes: Routes, share: float) -> float:
    """The highest `min_gain` at which a share is spent; the lowest there is if it never is."""
    way = routes.ways[POLICY]
    spent, _ = way.curve(np.ones((1, len(routes.cases.iou))))
    levels = np.unique(way.level)[::-1]
    reached = np.flatnonzero(spent[0, 1:] >= share - 1e-12)
    return float(levels[reached[0] if len(reached) else -1])


def _point(
    routes: Routes, names: Sequence[str], costs: Sequence[float], name: str, min_gain: float
) -> OperatingPoint:
    cases = routes.cases
    gains = cases.gains
    chosen = [
        chosen_member({member: float(gain[case]) for member, gain in gains.items()}, min_gain)
        for case in range(len(cases.iou))
    ]
    who = np.array([0 if member is None else names.index(member) for member in chosen])
    price = np.array([0.0, *costs[1:]]) / costs[-1]
    return OperatingPoint(
        name,
        min_gain,
        {member: float((who == place).mean()) for place, member in enumerate(names)},
        float(cases.iou[np.arange(len(who)), who].mean()),
        float(price[who].mean()),
    )
