"""Making a calibration of observed masks: one half of the pictures fits it, the other bounds it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.uncertainty.calibration import Curve, GapReading, Interval, MemberCalibration
from suresam.uncertainty.head_info import GAPS, PROMPT_GAP, TASK_GAP
from suresam.uncertainty.head_reading import DERIVED, NEXT_CLICK

LEVEL = 0.9
"""Nominal coverage of the intervals."""

_POINTS, _RANGES = 100, 10

_HEADS_OF = {gap: (gap, gap + DERIVED) for gap in GAPS}
_TELLERS = _HEADS_OF | {NEXT_CLICK: (*_HEADS_OF[PROMPT_GAP], *_HEADS_OF[TASK_GAP], "entropy")}
"""Which scores may tell each gain; the one with the smallest squared error does."""

Values = NDArray[np.float64]


def fit_member(own_head: str, masks: ScoredMasks, seed: int = 0) -> MemberCalibration:
    """Calibrate one member.

    The combined score is the least-squares mix of own IoU head, predicted IoU and entropy; an
    isotonic curve makes an expected IoU of it. Intervals are split-conformal: quantiles of what
    the other half of the pictures missed it by, in ten ranges of expected IoU. Of a gap's direct
    head and the difference of two, the one with the smaller squared error there is kept; the gain
    of an advised click, which no head learned, is told by whichever score does it best.

    Args:
        own_head: name of the member's own IoU head.
        masks: of the member, on at least two pictures.
        seed: of the split of the pictures.

    Source: Barlow et al. (1972) on isotonic regression; Lei et al. (2018) on split-conformal
    intervals; ranges as in Mondrian conformal prediction, Vovk et al. (2005).
    """
    pictures = np.random.default_rng(seed).permutation(np.unique(masks.picture))
    half = len(pictures) // 2
    fitted, bounding = masks.of_pictures(pictures[:half]), masks.of_pictures(pictures[half:])
    names = (own_head, "predicted_iou", "entropy")
    weights = _mix([fitted.scores[name] for name in names], fitted.iou)
    mix = dict(zip(names, weights.tolist(), strict=True))
    expected = rising_curve(combined(mix, fitted.scores), fitted.iou)
    interval = conformal_interval(
        curve_values(expected, combined(mix, bounding.scores)), bounding.iou, LEVEL
    )
    readings = {gain: _reading(gain, _TELLERS[gain], fitted, bounding) for gain in masks.gains}
    gaps = {gain: reading for gain, reading in readings.items() if reading is not None}
    return MemberCalibration(mix, expected, interval, gaps)


def combined(weights: Mapping[str, float], scores: Mapping[str, Values]) -> Values:
    """`MemberCalibration.combined` of many masks."""
    return np.asarray(sum(weight * scores[name] for name, weight in weights.items()))


def curve_values(curve: Curve, values: Values) -> Values:
    """A curve at many places."""
    return np.interp(values, curve.x, curve.y)


def rising_curve(score: Values, truth: Values) -> Curve:
    """The rising curve nearest to the truth in the least-squares sense, thinned to 100 points.

    Args:
        score, truth: (N,) at least one.
    """
    order = np.argsort(score, kind="stable")
    chunks = np.array_split(order, min(_POINTS, len(order)))
    x = np.array([score[chunk].mean() for chunk in chunks])
    y = np.array([truth[chunk].mean() for chunk in chunks])
    x, first = np.unique(x, return_index=True)  # equal scores may fill several chunks
    y = np.add.reduceat(y, first) / np.diff([*first, len(y)])
    count = np.add.reduceat(np.array([len(chunk) for chunk in chunks], float), first)
    fitted = isotonic_regression(y, weights=count).x
    return Curve(tuple(x.tolist()), tuple(np.maximum.accumulate(fitted).tolist()))


def conformal_interval(expected: Values, truth: Values, level: float) -> Interval:
    """Ranges of about equally many masks, each with the quantiles of what was missed in it.

    Args:
        expected, truth: (N,) of masks that nothing was fitted on.
        level: nominal coverage.
    """
    num_ranges = max(1, min(_RANGES, len(expected) // 100))
    edges = np.unique(np.quantile(expected, np.arange(1, num_ranges) / num_ranges))
    place = np.searchsorted(edges, expected, side="right")
    low, high = [], []
    for number in range(len(edges) + 1):
        missed = np.sort((truth - expected)[place == number])
        low.append(_order_statistic(missed, (1 - level) / 2, is_low=True))
        high.append(_order_statistic(missed, 1 - (1 - level) / 2, is_low=False))
    return Interval(tuple(edges.tolist()), tuple(low), tuple(high))


def _order_statistic(ordered: Values, share: float, is_low: bool) -> float:
    """A conformal quantile: among N values and one more, so it lies a little farther out."""
    count = len(ordered)
    if not count:
        return -1.0 if is_low else 1.0
    place = np.floor((count + 1) * share) if is_low else np.ceil((count + 1) * share)
    if not 1 <= place <= count:
        return -1.0 if is_low else 1.0
    return float(ordered[int(place) - 1])


def _mix(columns: Sequence[Values], truth: Values) -> Values:
    """Least-squares weights, without the constant, which the curve absorbs."""
    design = np.stack([*columns, np.ones_like(truth)], 1)
    weights, *_ = np.linalg.lstsq(design, truth, rcond=None)
    return np.asarray(weights[:-1])


def _reading(
    gain: str, heads: Sequence[str], fitted: ScoredMasks, bounding: ScoredMasks
) -> GapReading | None:
    """The head that tells a gain best; None where there is nothing to gain from."""
    best: tuple[float, GapReading] | None = None
    learned, tried = ~np.isnan(fitted.gains[gain]), ~np.isnan(bounding.gains[gain])
    for head in heads:
        if head not in fitted.scores or not learned.any() or not tried.any():
            continue
        curve = rising_curve(fitted.scores[head][learned], fitted.gains[gain][learned])
        told = curve_values(curve, bounding.scores[head][tried])
        error = float(((told - bounding.gains[gain][tried]) ** 2).mean())
        if best is None or error < best[0]:
            best = error, GapReading(head, curve)
    return None if best is None else best[1]
