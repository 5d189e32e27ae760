"""What escalating buys by each policy, with 95 % intervals by picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from suresam.errors import ConfigurationError
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.route.cases import DIRECT_HEAD, ENTROPY, SAM_SCORE, Cases
from suresam.evaluation.route.ways import Way, by_decision, by_score, by_truth

POLICY, ORACLE = "expected_gain", "oracle"
POLICIES = {
    POLICY: "expected gain (the service's)",
    SAM_SCORE: "SamScore",
    ENTROPY: "entropy",
    DIRECT_HEAD: "direct head",
    ORACLE: "oracle",
}
RIVALS = (SAM_SCORE, ENTROPY)
"""Policies that the service's is compared with, pair by pair."""

SHARES = (0.1, 0.2, 0.3, 0.5)
"""Of the requests that are escalated; in a larger family of what that many would spend."""

MOST = 0.9
"""Part of the gain whose price is told."""

AREA, REACH = "area", f"reach_{MOST:.0%}"
REALISED = {share: f"realised_at_{share:.0%}" for share in SHARES}
IOU = {share: f"iou_at_{share:.0%}" for share in SHARES}
MEASURES = (AREA, REACH, *REALISED.values(), *IOU.values())

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a policy, or the difference of two.

    Attributes:
        policy: of `POLICIES`.
        against: the policy that it is compared with, or None.
        measure: of `MEASURES`: the area under the curve, 0 for drawing lots and 1 for the oracle;
            the share of the requests at which `MOST` of the gain is there; the realised share of
            the gain from the first to the last member, and the mean IoU, at each of `SHARES`. No
            share of the gain is told where there is none, and intervals leave out such resamples.
        estimate: with its interval.
    """

    policy: str
    against: str | None
    measure: str
    estimate: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """The ways of all policies through the same requests.

    Attributes:
        cases: the requests.
        ways: by `POLICIES`.
    """

    cases: Cases
    ways: Mapping[str, Way]


def routes_of(cases: Cases, names: Sequence[str], costs: Sequence[float]) -> Routes:
    """The ways that every policy takes.

    Args:
        cases: at least one.
        names: of the members, cheapest first.
        costs: of one request to each of them, in any one unit.

    Raises:
        ConfigurationError: a larger member costs no more than the one before it.
    """
    if any(other <= one for one, other in pairwise(costs)):
        told = ", ".join(f"{n} {c:g}" for n, c in zip(names, costs, strict=True))
        raise ConfigurationError(f"members are not in the order of their costs: {told}")
    ways = {POLICY: by_decision(cases.gains, cases.iou, names, costs)}
    ways |= {name: by_score(score, cases.iou) for name, score in cases.scores.items()}
    ways[ORACLE] = by_truth(cases.iou, costs)
    return Routes(cases, {name: ways[name] for name in POLICIES if name in ways})


def judge_routes(routes: Routes, seed: int = 0) -> list[Figure]:
    """All figures of all policies, and how far the service's lies before its rivals.

    Args:
        routes: see `routes_of`.
        seed: of the intervals.
    """
    cases = routes.cases
    rivals = [name for name in RIVALS if name in routes.ways]
    policies = list(routes.ways)

    def figures(_: Values, weights: Values) -> Values:
        of_policy = dict(zip(policies, _figures(routes, weights), strict=True))
        differences = [of_policy[POLICY] - of_policy[rival] for rival in rivals]
        return np.hstack([*of_policy.values(), *differences])

    bootstrap = ImageBootstrap(cases.picture, seed)
    estimates = bootstrap.statistics(figures, np.arange(len(cases.iou), dtype=np.float64))
    whose: list[tuple[str, str | None]] = [(policy, None) for policy in policies]
    whose += [(POLICY, rival) for rival in rivals]
    places = [(policy, against, measure) for policy, against in whose for measure in MEASURES]
    return [Figure(*place, e) for place, e in zip(places, estimates, strict=True)]


def _figures(routes: Routes, weights: Values) -> list[Values]:
    """(R, measures) of every policy."""
    iou, total = routes.cases.iou, weights.sum(1)
    start = weights @ iou[:, 0] / total
    whole = weights @ (iou[:, -1] - iou[:, 0]) / total
    curves = {name: way.curve(weights) for name, way in routes.ways.items()}
    best = _area(*curves[ORACLE]) - whole / 2
    found = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for spent, gained in curves.values():
            at = [first_at(spent, gained, np.full(len(total), share)) for share in SHARES]
            is_there = (whole > 0) & (gained.max(1) >= MOST * whole)
            columns = [
                np.where(best > 1e-12, (_area(spent, gained) - whole / 2) / best, np.nan),
                np.where(is_there, first_at(gained, spent, MOST * whole), np.nan),
                *(np.where(whole > 0, there / whole, np.nan) for there in at),
                *(start + there for there in at),
            ]
            found.append(np.stack(columns, 1))
    return found


def first_at(x: Values, y: Values, level: Values) -> Values:
    """The y of a line of straight pieces where its x first reaches a level.

    Args:
        x, y: (R, P) corners of R lines.
        level: (R,).

    Returns:
        (R,); where it is never reached the last y, of a line that spends no more.
    """
    rows = np.arange(len(x))
    has_reached = x >= level[:, None] - 1e-12
    after = np.where(has_reached.any(1), has_reached.argmax(1), x.shape[1] - 1)
    before = np.maximum(after - 1, 0)
    run = x[rows, after] - x[rows, before]
    part = np.where(run > 0, (level - x[rows, before]) / np.where(run > 0, run, 1), 1)
    there = y[rows, before] + np.clip(part, 0, 1) * (y[rows, after] - y[rows, before])
    return np.asarray(there, np.float64)


def _area(spent: Values, gained: Values) -> Values:
    """(R,) under the curves from 0 to 1; one that ends earlier spends no more."""
    pieces = np.diff(spent) * (gained[:, 1:] + gained[:, :-1]) / 2
    area: Values = pieces.sum(1) + (1 - spent[:, -1]) * gained[:, -1]
    return area
