"""The way of a policy from asking nobody again to asking the last member about everything."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from suresam.domain import RouteRequest
from suresam.evaluation.relative_auc import group_starts
from suresam.routing.policy import Bounds, Evidence, decide

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """S steps, each of which changes who answers one request.

    Attributes:
        case: (S,) int, which request.
        level: (S,) higher is taken sooner; equal ones together, in no order.
        cost: (S,) what it spends more, where 1 is asking the last member about one request.
        gain: (S,) what it adds to the IoU of the answer.
    """

    case: NDArray[np.int64]
    level: Values
    cost: Values
    gain: Values

    def curve(self, weights: Values) -> tuple[Values, Values]:
        """What is spent and gained after every level, from nothing on, of R resamples.

        Args:
            weights: (R, N), how often a resample holds each request.

        Returns:
            (R, G + 1) each, means over requests.
        """
        order = np.argsort(-self.level, kind="stable")
        first = group_starts(self.level[order])
        drawn = weights[:, self.case[order]] / weights.sum(1, keepdims=True)
        spent, gained = (
            np.add.reduceat(drawn * column[order], first, axis=1).cumsum(1)
            for column in (self.cost, self.gain)
        )
        start = np.zeros((len(weights), 1))
        return np.hstack([start, spent]), np.hstack([start, gained])


def by_score(score: Values, iou: Values) -> Way:
    """Highest scores go to the last member first.

    Args:
        score: (N,).
        iou: (N, M) of every member's answer.
    """
    return Way(np.arange(len(iou)), score, np.ones(len(iou)), iou[:, -1] - iou[:, 0])


def by_decision(
    gains: Mapping[str, Values], iou: Values, names: Sequence[str], costs: Sequence[float]
) -> Way:
    """What `routing.policy.decide` does as `min_gain` falls.

    A request changes hands where the threshold meets what one of its members is expected to gain,
    or to gain more than a cheaper one, and nowhere else.

    Args:
        gains: expected, (N,) by larger member.
        iou: (N, M) of every member's answer.
        names: of the members, cheapest first.
        costs: of asking each of them, in any one unit.
    """
    steps: list[tuple[int, float, float, float]] = []
    price = dict(zip(names, np.array([0.0, *costs[1:]]) / costs[-1], strict=True))
    for case, row in enumerate(iou):
        expected = {name: float(gains[name][case]) for name in names[1:] if name in gains}
        answer = dict(zip(names, row.tolist(), strict=True))
        current = names[0]
        for threshold in _thresholds(list(expected.values())):
            chosen = chosen_member(expected, threshold) or names[0]
            if chosen != current:
                cost = float(price[chosen] - price[current])
                steps.append((case, threshold, cost, answer[chosen] - answer[current]))
                current = chosen
    return _way(steps)


def chosen_member(expected: Mapping[str, float], min_gain: float) -> str | None:
    """Who is asked again when nothing but the expected gains counts; None for nobody."""
    evidence = Evidence(expected, dict.fromkeys(expected), spent_ms=0, remaining_ms=math.inf)
    return decide(evidence, RouteRequest(min_gain=min_gain), Bounds()).model


def by_truth(iou: Values, costs: Sequence[float]) -> Way:
    """The most that can be had for any cost, by who knows all answers beforehand.

    Args:
        iou: (N, M) of every member's answer.
        costs: of asking each of them, rising; the first has no meaning.

    Source: the linear relaxation of the multiple-choice knapsack problem, Sinha and Zoltners
    (1979): of every request the upper hull of IoU over cost, its edges by falling slope.
    """
    price = np.array([0.0, *costs[1:]]) / costs[-1]
    steps: list[tuple[int, float, float, float]] = []
    for case, row in enumerate(iou):
        hull: list[int] = []
        for member in range(len(price)):
            while len(hull) > 1 and _slope(price, row, hull[-2], hull[-1]) <= _slope(
                price, row, hull[-1], member
            ):
                hull.pop()
            hull.append(member)
        for one, other in pairwise(hull):
            cost, gain = float(price[other] - price[one]), float(row[other] - row[one])
            steps.append((case, gain / cost, cost, gain))
    return _way(steps)


def _thresholds(expected: Sequence[float]) -> list[float]:
    """Falling, from one that nobody meets whose gain is a number."""
    known = [gain for gain in expected if not math.isnan(gain)]
    differences = [one - other for one in known for other in known if one > other]
    return [math.inf, *sorted({*known, *differences}, reverse=True)]


def _slope(price: Values, row: Values, one: int, other: int) -> float:
    return float((row[other] - row[one]) / (price[other] - price[one]))


def _way(steps: Sequence[tuple[int, float, float, float]]) -> Way:
    case, level, cost, gain = np.array(steps, np.float64).reshape(-1, 4).T
    return Way(case.astype(np.int64), level, cost, gain)
