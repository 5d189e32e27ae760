"""The numbers that a calibration mixes: what a mask's token says, and the other masks beside it.

How much another mask, a click or a larger model would gain shows less in a mask than in the
company it has: candidates that agree leave nothing to choose.
"""

from collections.abc import Mapping, Sequence
from itertools import permutations

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


def _places(ranked: Sequence[int]) -> list[list[int]]:
    """For every score of `COMPANY` and every token, where `answer_scores` finds it.

    Args:
        ranked: the candidates' tokens, highest predicted IoU first.
    """
    predicted, entropy, area, agreement = (4 * kind for kind in range(4))
    itself = agreement + len(PAIRS)

    def agreed(one: int, other: int) -> int:
        if one == other:
            return itself
        return agreement + PAIRS.index((min(one, other), max(one, other)))

    columns = []
    for token in range(4):
        following, third, *_ = (other for other in ranked if other != token)
        beside = (token, following, third, SINGLE_TOKEN)
        columns.append([
            predicted + token, entropy + token,
            *(predicted + other for other in beside[1:]),
            *(entropy + other for other in beside[1:]),
            *(area + other for other in beside),
            *(agreed(token, other) for other in beside[1:]),
            agreed(following, third),
        ])  # fmt: skip
    return [list(row) for row in zip(*columns, strict=True)]


_RANKINGS = tuple(permutations(CANDIDATE_TOKENS))
_PLACES = np.array([_places(ranked) for ranked in _RANKINGS])
"""(6, scores, 4), one for each order of the three candidates."""

_RANKING = np.zeros((4, 4), np.int64)
for _number, _ranked in enumerate(_RANKINGS):
    _RANKING[_ranked[0], _ranked[1]] = _number


def answer_scores(decoder: Mapping[str, Values]) -> dict[str, Values]:
    """Every score of `COMPANY` of all four masks.

    Args:
        decoder: `predicted_iou`, `entropy` and `area`, (..., 4) by token, and `agreement`
            (..., 6), as `mask_agreement` gives it.

    Returns:
        (..., 4) each.
    """
    predicted = decoder[PREDICTED_IOU]
    area = np.log(decoder[AREA] + _SMALLEST_AREA)
    itself = np.ones_like(predicted[..., :1])  # a mask agrees with itself
    told = np.concatenate([predicted, decoder[ENTROPY], area, decoder[AGREEMENT], itself], -1)
    order = np.argsort(-predicted[..., list(CANDIDATE_TOKENS)], -1, kind="stable") + 1
    places = _PLACES[_RANKING[order[..., 0], order[..., 1]]]  # (..., scores, 4)
    values = np.take_along_axis(told[..., None, :], places, -1)
    return {name: values[..., number, :] for number, name in enumerate(COMPANY)}
