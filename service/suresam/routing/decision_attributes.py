"""What a trace tells of a decision."""

from collections.abc import Sequence

from suresam.engine.client import SegmentReply
from suresam.routing.escalation import Plan
from suresam.routing.policy import Choice


def decision_attributes(
    choice: Choice, reply: SegmentReply, plan: Plan | None
) -> dict[str, Sequence[str] | Sequence[float] | float]:
    """Who is to answer each prompt, and why, in the order of the prompts.

    `expected_gains` (IoU) are there if every prompt has one. `members` are those whose costs were
    measured, and `costs_ms` what one prompt would cost each of them.

    Args:
        choice: the member that was asked first.
        reply: what it answered.
        plan: to ask larger ones, or None.
    """
    models = [choice.model] * len(reply.predictions)
    reasons = [choice.reason] * len(models)
    gains: list[float] = []
    if plan is not None:
        decisions = [decided.decision for decided in plan.decided]
        models = [decision.model or choice.model for decision in decisions]
        reasons = [decision.reason for decision in decisions]
        gains = [d.expected_gain for d in decisions if d.expected_gain is not None]
    costs = {name: ms for name, ms in reply.marginal_cost_ms.items() if ms is not None}
    told: dict[str, Sequence[str] | Sequence[float] | float] = {
        "suresam.route.models": models,
        "suresam.route.reasons": reasons,
        "suresam.route.spent_ms": reply.spent_ms,
        "suresam.route.members": list(costs),
        "suresam.route.costs_ms": list(costs.values()),
        "suresam.route.backlog_ms": reply.backlog_ms,
    }
    if len(gains) == len(models):
        told["suresam.route.expected_gains"] = gains
    return told
