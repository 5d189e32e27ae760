"""What a calibration says of many masks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.evaluation.observations.plan import ONE_CLICK
from suresam.uncertainty.calibration import MemberCalibration

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """Of N masks.

    Attributes:
        expected: (N,) expected IoU.
        low, high: (N,) ends of the interval.
    """

    expected: Values
    low: Values
    high: Values

    @property
    def width(self) -> Values:
        """(N,) of the interval."""
        return self.high - self.low

    def covered(self, iou: Values) -> Values:
        """(N,) 1 where the interval holds the true IoU, else 0."""
        return ((self.low <= iou) & (iou <= self.high)).astype(np.float64)


def statements_of(calibration: MemberCalibration, masks: ScoredMasks) -> Statements:
    """What a service would answer beside every mask.

    Args:
        calibration: of the member that made them.
        masks: with all scores that the calibration reads.
    """
    said = np.empty((3, len(masks.iou)))
    is_click = np.isin(masks.prompt, ONE_CLICK)
    for rows, told in ((is_click, calibration.one_click), (~is_click, calibration.other)):
        expected = told.expected(masks.where(rows).scores)
        said[:, rows] = (expected, *told.interval.around(expected))
    return Statements(*said)
