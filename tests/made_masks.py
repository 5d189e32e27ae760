"""Masks of which everything is known, and calibrations that say something of them."""

import numpy as np

from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.uncertainty.calibration import (
    Curve,
    Expectations,
    Interval,
    MemberCalibration,
    Reading,
)
from suresam.uncertainty.head_info import GAPS
from suresam.uncertainty.head_reading import NEXT_CLICK

KINDS = 7


def made_masks(said: np.ndarray, iou: np.ndarray, per_picture: int = 10) -> ScoredMasks:
    """An own head that says something; predicted IoU is its square root."""
    count = len(iou)
    return ScoredMasks(
        np.arange(count) // per_picture,
        np.arange(count) % KINDS,
        {
            "iou_own": said,
            "predicted_iou": np.sqrt(said),
            "entropy": np.zeros(count),
            "task_gap": np.zeros(count),
        },
        iou,
        {gain: np.full(count, np.nan) for gain in (*GAPS, NEXT_CLICK)},
    )


def taken_as_said(half_width: float = 0.1) -> MemberCalibration:
    """Expects what the own head says, give or take."""
    told = Expectations(
        Reading({"iou_own": 1.0}, Curve((0.0, 1.0), (0.0, 1.0))),
        Interval((), (-half_width,), (half_width,)),
        {},
    )
    return MemberCalibration(told, told)
