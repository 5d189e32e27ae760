"""The curves of one member: reliability and risk by coverage, for every score that says IoU."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.evaluation.calibration.reliability import ReliabilityBin, reliability_bins
from suresam.evaluation.calibration.risk_coverage import risk_coverage_curve
from suresam.evaluation.calibration.statements import statements_of
from suresam.uncertainty.calibration import MemberCalibration

SERVED, REFITTED = "served", "refitted"
"""Which calibration says it."""

PREDICTED, ORACLE = "predicted_iou", "oracle"
"""Scores without one: the decoder's own, and the true IoU."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MemberCurves:
    """Of one member.

    Attributes:
        reliability: by `SERVED`, `REFITTED` and `PREDICTED`, the bins of what was said.
        risk: by those and `ORACLE`, coverages and the risk at each, both (P,).
    """

    reliability: Mapping[str, list[ReliabilityBin]]
    risk: Mapping[str, tuple[Values, Values]]


def curves_of(
    calibrations: Mapping[str, MemberCalibration], masks: ScoredMasks, seed: int = 0
) -> MemberCurves:
    """The curves of a member's masks.

    Args:
        calibrations: by `SERVED` and, where there is one, `REFITTED`.
        masks: of the same member.
        seed: of the intervals of the bins.
    """
    said = {name: statements_of(one, masks).expected for name, one in calibrations.items()}
    said[PREDICTED] = masks.scores["predicted_iou"]
    return MemberCurves(
        {
            name: reliability_bins(values, masks.iou, masks.picture, seed)
            for name, values in said.items()
        },
        {
            name: risk_coverage_curve(values, masks.iou)
            for name, values in (said | {ORACLE: masks.iou}).items()
        },
    )
