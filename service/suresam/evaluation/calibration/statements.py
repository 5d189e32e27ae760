"""What a calibration says of many masks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.calibration.fitting import readings_of
from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.evaluation.observations.plan import ONE_CLICK
from suresam.uncertainty.calibration import Interval, MemberCalibration

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
        expected = readings_of(told.expected, masks.where(rows).scores)
        said[:, rows] = (expected, *intervals_around(told.interval, expected))
    return Statements(*said)


def intervals_around(interval: Interval, expected: Values) -> tuple[Values, Values]:
    """`Interval.around` of many expectations."""
    place = np.searchsorted(interval.edges, expected, side="right")
    low, high = expected + np.array(interval.low)[place], expected + np.array(interval.high)[place]
    return np.clip(low, 0, 1), np.clip(high, 0, 1)
