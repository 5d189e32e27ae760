"""Whether masks that are said to be worth so much are: bins of a reliability diagram."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.agreement import NUM_BINS
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Masks of which about the same was said.

    Attributes:
        start, end: of the bin.
        said: mean of what was said.
        iou: mean true IoU, with its interval and the number of masks.
    """

    start: float
    end: float
    said: float
    iou: Estimate


def reliability_bins(
    said: Values, iou: Values, picture: NDArray[np.int64], seed: int = 0
) -> list[ReliabilityBin]:
    """The bins that hold masks, in order: those of `agreement.expected_calibration_error`.

    Args:
        said: (N,) expected or predicted IoU; what lies beyond 0 or 1 is in the outermost bins.
        iou: (N,) true one.
        picture: (N,) whose mask it is, for the intervals.
        seed: of the intervals.
    """
    place = np.clip(np.floor(said * NUM_BINS), 0, NUM_BINS - 1).astype(np.int64)
    bins = []
    for number in np.unique(place).tolist():
        inside = place == number
        bins.append(
            ReliabilityBin(
                number / NUM_BINS,
                (number + 1) / NUM_BINS,
                float(said[inside].mean()),
                ImageBootstrap(picture[inside], seed).mean(iou[inside]),
            )
        )
    return bins
