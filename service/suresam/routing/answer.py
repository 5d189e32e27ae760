"""What becomes of one prompt: a member's prediction, and the receipt for it."""

from dataclasses import dataclass

from suresam.domain import Prediction, ResultError, Route
from suresam.engine.client import SegmentReply
from suresam.routing.policy import Choice


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One prompt's answer, masks not encoded yet.

    Attributes:
        prediction: or the error of this prompt alone.
        route: who answered, why, and what it cost.
    """

    prediction: Prediction | ResultError
    route: Route


def first_answers(reply: SegmentReply, choice: Choice) -> tuple[Answer, ...]:
    """What the member that was asked first says, as it stands."""
    return tuple(
        Answer(
            prediction,
            Route(
                model=choice.model,
                role=choice.role,
                escalated=False,
                reason=choice.reason,
                expected_gain=None,
                cost={**reply.marginal_cost_ms, "spent": spent_ms},
            ),
        )
        for prediction, spent_ms in zip(reply.predictions, reply.spent_ms, strict=True)
    )
