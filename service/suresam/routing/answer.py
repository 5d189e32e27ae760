"""What becomes of one prompt: a member's prediction, and the receipt for it."""

from dataclasses import dataclass

from suresam.domain import Prediction, ResultError, Route


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One prompt's answer, masks not encoded yet.

    Attributes:
        prediction: or the error of this prompt alone.
        route: who answered, why, and what it cost.
    """

    prediction: Prediction | ResultError
    route: Route
