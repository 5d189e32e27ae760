"""What becomes of one prompt: a member's prediction, and the receipt for it."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from suresam.domain import Prediction, ResultError, Route, SegmentResponse
from suresam.engine.client import SegmentReply
from suresam.routing.policy import Choice


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One prompt's answer, masks not encoded yet.

    Attributes:
        prediction: or the error of this prompt alone.
        route: who answered, why, and what it cost.
        is_provisional: another answer follows.
    """

    prediction: Prediction | ResultError
    route: Route
    is_provisional: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An answer, and how to get the one that follows it.

    Attributes:
        response: with provisional results if there is a rest.
        rest: asks larger members; None where the response is final.
    """

    response: SegmentResponse
    rest: Callable[[], Coroutine[Any, Any, SegmentResponse]] | None = None


def as_it_stands(
    reply: SegmentReply, index: int, choice: Choice, expected_gain: float | None = None
) -> Answer:
    """What the member that was asked first says to one prompt.

    Args:
        reply: of that member.
        index: of the prompt.
        choice: the member, and why its answer is given.
        expected_gain: in IoU, of the larger member that was thought of; None if none was.
    """
    route = Route(
        model=choice.model,
        role=choice.role,
        escalated=False,
        reason=choice.reason,
        expected_gain=expected_gain,
        cost={**reply.marginal_cost_ms, "spent": reply.spent_ms[index]},
    )
    return Answer(reply.predictions[index], route)
