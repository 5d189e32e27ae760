"""The numbers that a calibration mixes: what a mask's token says, and the other masks beside it.

How much another mask, a click or a larger model would gain shows less in a mask than in the
company it has: candidates that agree leave nothing to choose.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from suresam.segmentation.selection import CANDIDATE_TOKENS, SINGLE_TOKEN
from suresam.uncertainty.agreement import PAIRS

PREDICTED_IOU, ENTROPY, AREA, AGREEMENT = DECODER = (
    "predicted_iou",
    "entropy",
    "area",
    "agreement",
)
COMPANY = (
    PREDICTED_IOU,
    ENTROPY,
    "predicted_iou_of_next",
    "predicted_iou_of_third",
    "predicted_iou_of_single",
    "entropy_of_next",
    "entropy_of_third",
    "entropy_of_single",
    "log_area",
    "log_area_of_next",
    "log_area_of_third",
    "log_area_of_single",
    "agreement_with_next",
    "agreement_with_third",
    "agreement_with_single",
    "agreement_of_others",
)
"""Scores of a mask that need no heads. "Next" and "third" are the two other candidates of highest
predicted IoU, "single" is token 0's mask."""

_SMALLEST_AREA = 1e-3
"""Added to shares of the picture, so that empty masks have a logarithm."""

Values = NDArray[np.float64]

_PLACE = np.full((4, 4), len(PAIRS))  # behind the pairs: a mask agrees with itself
for _number, (_one, _other) in enumerate(PAIRS):
    _PLACE[_one, _other] = _PLACE[_other, _one] = _number
_NOT_ITSELF = ~np.eye(4, dtype=np.bool_)[:, list(CANDIDATE_TOKENS)]


def answer_scores(decoder: Mapping[str, Values]) -> dict[str, Values]:
    """Every score of `COMPANY` of all four masks.

    Args:
        decoder: `predicted_iou`, `entropy` and `area`, (..., 4) by token, and `agreement`
            (..., 6), as `mask_agreement` gives it.

    Returns:
        (..., 4) each.
    """
    predicted, entropy = decoder[PREDICTED_IOU], decoder[ENTROPY]
    area = np.log(decoder[AREA] + _SMALLEST_AREA)
    candidates = predicted[..., None, list(CANDIDATE_TOKENS)]  # (..., 1, 3)
    ranked = np.argsort(-np.where(_NOT_ITSELF, candidates, -np.inf), -1, kind="stable") + 1
    agreement = np.concatenate([decoder[AGREEMENT], np.ones_like(predicted[..., :1])], -1)
    following, third = ranked[..., 0], ranked[..., 1]  # (..., 4)
    token = np.broadcast_to(np.arange(4), following.shape)

    def agreed(one: NDArray[np.int64], other: NDArray[np.int64]) -> Values:
        return np.take_along_axis(agreement, _PLACE[one, other], -1)

    def of(values: Values, tokens: NDArray[np.int64]) -> Values:
        return np.take_along_axis(values, tokens, -1)

    single = np.full_like(following, SINGLE_TOKEN)
    values = (
        predicted, entropy,
        of(predicted, following), of(predicted, third), of(predicted, single),
        of(entropy, following), of(entropy, third), of(entropy, single),
        area, of(area, following), of(area, third), of(area, single),
        agreed(token, following), agreed(token, third), agreed(token, single),
        agreed(following, third),
    )  # fmt: skip
    return dict(zip(COMPANY, values, strict=True))
