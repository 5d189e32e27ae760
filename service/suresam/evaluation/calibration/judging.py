"""How honest a calibration is on pictures that it was not fitted on."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from suresam.columns import aligned
from suresam.evaluation.agreement import expected_calibration_error, pearson
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.evaluation.calibration.risk_coverage import risk_coverage_area
from suresam.evaluation.calibration.statements import statements_of
from suresam.evaluation.rows import told
from suresam.uncertainty.calibration import MemberCalibration

Values = NDArray[np.float64]
Statistic = Callable[..., Values]

MEASURES = {
    "calibration_error": "calibration error of the expected IoU (ECE, ten bins)",
    "predicted_iou_error": "the same of the predicted IoU, uncalibrated",
    "pearson": "correlation of expected and true IoU",
    "coverage": "coverage of the interval",
    "width": "width of the interval",
    "aurc": "area under the risk-coverage curve, risk 1 - IoU",
    "aurc_oracle": "the same for an order that knows the IoU",
}
"""Figures by name, in words."""

PREDICTED_AURC = "aurc_predicted_iou"
WORDS = MEASURES | {PREDICTED_AURC: "the same for an order by predicted IoU"}
"""`MEASURES`, and what an order without calibration costs."""

_STATISTICS: dict[str, Statistic] = {
    "calibration_error": expected_calibration_error,
    "pearson": pearson,
    "aurc": risk_coverage_area,
}
"""Those of expected and true IoU."""

DIFFERING = ("calibration_error", "pearson", "coverage", "width", "aurc")
"""Measures in which two calibrations of the same masks can differ."""

Figures = Mapping[str, Mapping[str, Estimate]]
"""By member, the figures of `MEASURES`."""


def judge_member(
    calibration: MemberCalibration, masks: ScoredMasks, seed: int = 0
) -> dict[str, Estimate]:
    """The figures of `WORDS` with 95 % intervals by picture.

    Args:
        calibration: of the member.
        masks: of the same member, on other pictures.
        seed: of the intervals.
    """
    found = judge_calibrated(calibration, masks, seed) | judge_uncalibrated(masks, seed)
    return {name: found[name] for name in WORDS}


def judge_calibrated(
    calibration: MemberCalibration, masks: ScoredMasks, seed: int = 0
) -> dict[str, Estimate]:
    """Those figures that a calibration decides: `DIFFERING`."""
    said = statements_of(calibration, masks)
    bootstrap = ImageBootstrap(masks.picture, seed)
    found = {
        name: bootstrap.statistic(statistic, said.expected, masks.iou)
        for name, statistic in _STATISTICS.items()
    }
    found["coverage"] = bootstrap.mean(said.covered(masks.iou))
    found["width"] = bootstrap.mean(said.width)
    return {name: found[name] for name in DIFFERING}


def judge_uncalibrated(masks: ScoredMasks, seed: int = 0) -> dict[str, Estimate]:
    """The other figures, of predicted IoU and of an oracle."""
    bootstrap = ImageBootstrap(masks.picture, seed)
    predicted, iou = masks.scores["predicted_iou"], masks.iou
    return {
        "predicted_iou_error": bootstrap.statistic(expected_calibration_error, predicted, iou),
        "aurc_oracle": bootstrap.statistic(risk_coverage_area, iou, iou),
        PREDICTED_AURC: bootstrap.statistic(risk_coverage_area, predicted, iou),
    }


def judge_difference(
    one: MemberCalibration, other: MemberCalibration, masks: ScoredMasks, seed: int = 0
) -> dict[str, Estimate]:
    """What the other calibration's figures of `DIFFERING` are above the one's, with intervals.

    Both are judged on every resample together, so what makes a picture hard for both cancels
    out, and an interval without 0 is a difference.

    Args:
        one, other: calibrations of the same member.
        masks: of that member, on pictures that neither was fitted on.
        seed: of the intervals.
    """
    first, second = statements_of(one, masks), statements_of(other, masks)
    bootstrap = ImageBootstrap(masks.picture, seed)
    found = {
        name: bootstrap.statistic(
            _difference(statistic), first.expected, second.expected, masks.iou
        )
        for name, statistic in _STATISTICS.items()
    }
    found["coverage"] = bootstrap.mean(second.covered(masks.iou) - first.covered(masks.iou))
    found["width"] = bootstrap.mean(second.width - first.width)
    return {name: found[name] for name in DIFFERING}


def _difference(statistic: Statistic) -> Statistic:
    def difference(one: Values, other: Values, true: Values, weights: Values) -> Values:
        return statistic(other, true, weights) - statistic(one, true, weights)

    return difference


def format_figures(figures: Figures) -> str:
    """A row a figure, a column a member."""
    rows = [("", *figures)]
    for measure, words in MEASURES.items():
        cells = (figures[member][measure] for member in figures)
        rows.append((words, *map(told, cells)))
    return "\n".join(aligned(rows))
