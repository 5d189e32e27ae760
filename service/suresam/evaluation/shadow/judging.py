"""What a corrected gain is worth on comparisons that it was not fitted to."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.agreement import pearson
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.calibration.fitting import rising_curve
from suresam.evaluation.shadow.samples import Samples

Values = NDArray[np.float64]

SERVED, REFITTED, DIFFERENCE = "served", "refitted", "refitted - served"

NUM_BINS = 8

MEASURES = {
    "mean_apart": "expected less recorded gain, mean",
    "mean_error": "mean absolute error",
    "rms_error": "root mean square error",
    "pearson": "correlation",
}
"""Figures by name, in words."""


@dataclass(frozen=True, slots=True)
class GainBin:
    """Comparisons of which about the same gain was expected.

    Attributes:
        expected: its mean.
        recorded: mean of what was recorded, with its interval.
    """

    expected: float
    recorded: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One part of a calibration, on the half of the comparisons that nothing was fitted to.

    Attributes:
        expected: (N,) by `SERVED` and `REFITTED`.
        figures: by these and `DIFFERENCE`, those of `MEASURES`; intervals of differences are
            paired.
        bins: by the first two.
    """

    expected: Mapping[str, Values]
    figures: Mapping[str, Mapping[str, Estimate]]
    bins: Mapping[str, list[GainBin]]

    @property
    def is_better(self) -> bool:
        """Whether the squared error fell, surely."""
        return self.figures[DIFFERENCE]["rms_error"].high < 0


def judge(samples: Samples, seed: int = 0) -> Judged:
    """Fit to one half, and judge on the other.

    Args:
        samples: of a part, at least two.
        seed: of the halves and the intervals.
    """
    order = np.random.default_rng(seed).permutation(len(samples))
    fitted, held_out = np.array_split(order, 2)
    correction = rising_curve(samples.expected[fitted], samples.gain[fitted])
    served, gain = samples.expected[held_out], samples.gain[held_out]
    expected = {SERVED: served, REFITTED: correction(served)}
    estimates = ImageBootstrap(np.arange(len(gain)), seed).statistics(
        _figures, served, expected[REFITTED], gain
    )
    whose = [(which, measure) for which in (SERVED, REFITTED, DIFFERENCE) for measure in MEASURES]
    figures: dict[str, dict[str, Estimate]] = {SERVED: {}, REFITTED: {}, DIFFERENCE: {}}
    for (which, measure), estimate in zip(whose, estimates, strict=True):
        figures[which][measure] = estimate
    bins = {which: gain_bins(said, gain, seed) for which, said in expected.items()}
    return Judged(expected, figures, bins)


def gain_bins(expected: Values, gain: Values, seed: int = 0) -> list[GainBin]:
    """Bins of equally many comparisons by what was expected; equal ones stay together.

    Args:
        expected, gain: (N,).
        seed: of the intervals.
    """
    edges = np.unique(np.quantile(expected, np.arange(1, NUM_BINS) / NUM_BINS))
    place = np.searchsorted(edges, expected, side="right")
    return [
        GainBin(
            float(expected[place == number].mean()),
            ImageBootstrap(np.flatnonzero(place == number), seed).mean(gain[place == number]),
        )
        for number in np.unique(place).tolist()
    ]


def _figures(served: Values, refitted: Values, gain: Values, weights: Values) -> Values:
    """(R, 12): those of `MEASURES` as served, refitted, and the difference."""
    first, second = _of_one(served, gain, weights), _of_one(refitted, gain, weights)
    return np.hstack([first, second, second - first])


def _of_one(said: Values, gain: Values, weights: Values) -> Values:
    apart, total = said - gain, weights.sum(1)
    columns = (
        weights @ apart / total,
        weights @ np.abs(apart) / total,
        np.sqrt(weights @ apart**2 / total),
        pearson(said, gain, weights),
    )
    return np.stack(columns, 1)
