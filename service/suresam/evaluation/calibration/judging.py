"""How honest a calibration is on pictures that it was not fitted on."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from suresam.columns import aligned
from suresam.evaluation.agreement import expected_calibration_error, pearson
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.calibration.fitting import combined, curve_values
from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.uncertainty.calibration import MemberCalibration

Values = NDArray[np.float64]

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

Figures = Mapping[str, Mapping[str, Estimate]]
"""By member, the figures of `MEASURES`."""


def judge_member(
    calibration: MemberCalibration, masks: ScoredMasks, seed: int = 0
) -> dict[str, Estimate]:
    """The figures of `MEASURES` with 95 % intervals by picture.

    Args:
        calibration: of the member.
        masks: of the same member, on other pictures.
        seed: of the intervals.
    """
    expected = curve_values(calibration.expected, combined(calibration.weights, masks.scores))
    bounds = np.array([calibration.interval.around(value) for value in expected])
    is_covered = (bounds[:, 0] <= masks.iou) & (masks.iou <= bounds[:, 1])
    bootstrap = ImageBootstrap(masks.picture, seed)
    predicted = masks.scores["predicted_iou"]
    return {
        "calibration_error": bootstrap.statistic(expected_calibration_error, expected, masks.iou),
        "predicted_iou_error": bootstrap.statistic(
            expected_calibration_error, predicted, masks.iou
        ),
        "pearson": bootstrap.statistic(pearson, expected, masks.iou),
        "coverage": bootstrap.mean(is_covered.astype(np.float64)),
        "width": bootstrap.mean(bounds[:, 1] - bounds[:, 0]),
        "aurc": bootstrap.statistic(risk_coverage_area, expected, masks.iou),
        "aurc_oracle": bootstrap.statistic(risk_coverage_area, masks.iou, masks.iou),
    }


def risk_coverage_area(score: Values, iou: Values, weights: Values) -> Values:
    """Mean, over all coverages, of the risk 1 - IoU of the masks that are kept, best score first.

    Args:
        score, iou: (N,).
        weights: (R, N), how often each resample holds each mask.

    Returns:
        (R,); lower is better.

    Source: Geifman and El-Yaniv (2017), with 1 - IoU as the risk.
    """
    order = np.argsort(-score, kind="stable")
    drawn = weights[:, order]
    kept = drawn.cumsum(1)
    risk = (drawn * (1 - iou[order])).cumsum(1) / np.maximum(kept, 1)
    return np.asarray((risk * drawn).sum(1) / drawn.sum(1))


def format_figures(figures: Figures) -> str:
    """A row a figure, a column a member."""
    rows = [("", *figures)]
    for measure, words in MEASURES.items():
        cells = (figures[member][measure] for member in figures)
        rows.append((words, *(f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]" for e in cells)))
    return "\n".join(aligned(rows))
