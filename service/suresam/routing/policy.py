"""Which member answers: the decision, pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suresam.domain import AUTO, LARGE, SMALL, RouteRequest
from suresam.errors import UnknownModel

REQUESTED = "requested"
"""The request named the member."""

NO_GAIN_ESTIMATE = "no_gain_estimate"
"""Nothing tells what a larger member would gain: no heads, no calibration, or none larger."""

GAIN_BELOW_THRESHOLD = "gain_below_threshold"
"""No larger member is expected to gain `min_gain`."""

EXPECTED_GAIN = "expected_gain"
"""A larger member answered because it was expected to gain enough."""

PROVISIONAL = "provisional"
"""A larger member is being asked; this answer is for the time until it has answered."""

NOT_FINITE = "not_finite"
"""A larger member answered because the smaller one's answer or expected gain was no number."""

MAX_COST = "max_cost"
"""It would gain enough, but the request's `max_cost` does not allow it."""

DEADLINE = "deadline"
"""It would gain enough, but not in time."""

OVERLOAD = "overload"
"""It would gain enough, but too much work waits for the device already."""

BUDGET = "budget"
"""It would gain enough, but others are worth the operator's budget more."""

KEY_BUDGET = "key_budget"
"""It would gain enough, but other requests of this key are worth the key's share more."""

LARGER_FAILED = "larger_failed"
"""It was asked and did not answer; the smaller one's answer stands."""

REASONS = (
    REQUESTED,
    NO_GAIN_ESTIMATE,
    GAIN_BELOW_THRESHOLD,
    EXPECTED_GAIN,
    NOT_FINITE,
    MAX_COST,
    DEADLINE,
    OVERLOAD,
    BUDGET,
    KEY_BUDGET,
    LARGER_FAILED,
    PROVISIONAL,
)
"""All that a receipt, a metric or the documentation may say."""

_SMALLEST_GAIN = 1e-9

HYSTERESIS = 0.002
"""IoU by which a gain must pass the threshold to change what was decided before."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The member that is asked first, with the reason."""

    model: str
    role: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known when a member has answered one prompt.

    Attributes:
        gains: expected gain in IoU of each larger member, cheapest first; NaN where it is no
            number. Empty without an estimate.
        costs_ms: device milliseconds of each of them for this prompt; None where not measured.
        spent_ms: device milliseconds that the answer at hand has cost.
        remaining_ms: until the caller's deadline.
        backlog_ms: device milliseconds of the work that waits.
        escalated_before: what was decided for this prompt the last time; None if it is new.
    """

    gains: Mapping[str, float]
    costs_ms: Mapping[str, float | None]
    spent_ms: float
    remaining_ms: float
    backlog_ms: float = 0.0
    escalated_before: bool | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the operator allows.

    Attributes:
        max_backlog_ms: device milliseconds of waiting work above which nobody is escalated.
        deadline_factor: by how much an answer may take longer than its measured cost and wait.
    """

    max_backlog_ms: float = 500.0
    deadline_factor: float = 1.5


@dataclass(frozen=True, slots=True)
class Decision:
    """Stay or escalate.

    Attributes:
        model: the larger member to ask, or None to stay.
        reason: one of `REASONS`.
        expected_gain: of the member that was chosen, or of the best one if none was; None without
            an estimate.
    """

    model: str | None
    reason: str
    expected_gain: float | None


def choose_member(route: RouteRequest, members: Sequence[str]) -> Choice:
    """The member that is asked first: the one that the request names, else the smallest.

    Args:
        route: what the caller wants.
        members: names, cheapest first; the first is small, the last large.

    Raises:
        UnknownModel: the mode is neither a role nor a member.
    """
    small, large = members[0], members[-1]
    if route.mode == AUTO:
        return Choice(small, SMALL, NO_GAIN_ESTIMATE)
    by_mode = {**{name: name for name in members}, SMALL: small, LARGE: large}
    if route.mode not in by_mode:
        known = ", ".join((AUTO, SMALL, LARGE, *members))
        raise UnknownModel(f"route.mode {route.mode[:64]!r} is not one of {known}")
    model = by_mode[route.mode]
    return Choice(model, role_of(model, members), REQUESTED)


def decide(evidence: Evidence, route: RouteRequest, bounds: Bounds) -> Decision:
    """Whether a larger member should answer instead, and which.

    The cheapest member wins that is good enough: no other one may be expected to gain another
    `min_gain` on top. Of those that gain enough, the ones that are too dear or too late are left
    out first. Without any the reason tells what the cheapest of them failed at.

    Args:
        evidence: about the answer at hand.
        route: what the caller wants; its mode is auto.
        bounds: of the operator.
    """
    if not evidence.gains:
        return Decision(None, NO_GAIN_ESTIMATE, None)
    # An unknown answer is not a good one.
    unknown = [name for name, gain in evidence.gains.items() if math.isnan(gain)]
    known = {name: gain for name, gain in evidence.gains.items() if not math.isnan(gain)}
    best = max(known.values(), default=None)
    worthwhile = [*unknown, *(n for n, g in known.items() if g >= _threshold(evidence, route))]
    if not worthwhile:
        return Decision(None, GAIN_BELOW_THRESHOLD, best)
    obstacles = {name: _obstacle(name, evidence, route, bounds) for name in worthwhile}
    possible = [name for name in evidence.gains if obstacles.get(name, "") is None]
    if not possible:
        return Decision(None, next(filter(None, obstacles.values())), best)
    if unknown:
        chosen = next((name for name in possible if name in unknown), possible[-1])
        return Decision(chosen, NOT_FINITE, None)
    reachable = max(known[name] for name in possible)
    enough = min(reachable, reachable - route.min_gain + _SMALLEST_GAIN)
    chosen = next(name for name in possible if known[name] >= enough)
    return Decision(chosen, EXPECTED_GAIN, known[chosen])


def role_of(model: str, members: Sequence[str]) -> str | None:
    """A member's role; None for those between small and large."""
    return SMALL if model == members[0] else LARGE if model == members[-1] else None


def _threshold(evidence: Evidence, route: RouteRequest) -> float:
    if evidence.escalated_before is None:
        return route.min_gain
    return route.min_gain + (-HYSTERESIS if evidence.escalated_before else HYSTERESIS)


def _obstacle(name: str, evidence: Evidence, route: RouteRequest, bounds: Bounds) -> str | None:
    cost_ms = evidence.costs_ms.get(name) or 0.0
    if route.max_cost is not None and evidence.spent_ms + cost_ms > route.max_cost:
        return MAX_COST
    if (evidence.backlog_ms + cost_ms) * bounds.deadline_factor > evidence.remaining_ms:
        return DEADLINE
    if evidence.backlog_ms > bounds.max_backlog_ms:
        return OVERLOAD
    return None
