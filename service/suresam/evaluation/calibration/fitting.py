"""Making a calibration of observed masks: one half of the pictures fits it, the other bounds it."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.evaluation.observations.plan import ONE_CLICK
from suresam.uncertainty.answer_scores import COMPANY
from suresam.uncertainty.calibration import (
    Curve,
    Expectations,
    Interval,
    MemberCalibration,
    Reading,
)
from suresam.uncertainty.head_info import GAPS, PROMPT_GAP, TASK_GAP
from suresam.uncertainty.head_reading import DERIVED, NEXT_CLICK

LEVEL = 0.9
"""Nominal coverage of the intervals."""

_POINTS, _RANGES = 100, 10

_HEADS: dict[str, tuple[str, ...]] = {gap: (gap, gap + DERIVED) for gap in GAPS}
_HEADS[NEXT_CLICK] = (*_HEADS[PROMPT_GAP], *_HEADS[TASK_GAP])
"""Heads that may tell a gain. None learned that of an advised click."""

_RIDGE = 1e-3
"""Times the number of masks, on scores of unit variance."""

Values = NDArray[np.float64]


def fit_member(own_head: str, masks: ScoredMasks, seed: int = 0) -> MemberCalibration:
    """Calibrate one member, single clicks and all other prompts each by themselves.

    The expected IoU is an isotonic curve over the least-squares mix of the own IoU head and all
    scores of `COMPANY`. Intervals are split-conformal: quantiles of what the other half of the
    pictures missed it by, in ten ranges of expected IoU. A gain is told by the direct head, the
    difference of two, or a mix of both with the same scores, whichever has the smallest squared
    error on the other half; that one is then fitted to all pictures.

    Args:
        own_head: name of the member's own IoU head.
        masks: of the member, on at least two pictures.
        seed: of the split of the pictures.

    Source: Barlow et al. (1972) on isotonic regression; Lei et al. (2018) on split-conformal
    intervals; ranges as in Mondrian conformal prediction, Vovk et al. (2005).
    """
    is_click = np.isin(masks.prompt, ONE_CLICK)
    parts = (masks.where(rows) for rows in (is_click, ~is_click))
    # A kind of prompt that nobody asked takes what is known of the others.
    usable = (part if len(np.unique(part.picture)) > 1 else masks for part in parts)
    return MemberCalibration(*(_fit(own_head, part, seed) for part in usable))


def _fit(own_head: str, masks: ScoredMasks, seed: int) -> Expectations:
    pictures = np.random.default_rng(seed).permutation(np.unique(masks.picture))
    half = len(pictures) // 2
    fitted, bounding = masks.of_pictures(pictures[:half]), masks.of_pictures(pictures[half:])
    expected = _mixed((own_head,), fitted, fitted.iou)
    interval = conformal_interval(expected(bounding.scores), bounding.iou, LEVEL)
    gains = {
        gain: reading
        for gain in masks.gains
        if (reading := _best(gain, own_head, masks, fitted, bounding)) is not None
    }
    return Expectations(expected, interval, gains)


def rising_curve(score: Values, truth: Values) -> Curve:
    """The rising curve nearest to the truth in the least-squares sense, thinned to 100 points.

    Args:
        score, truth: (N,) at least one.
    """
    order = np.argsort(score, kind="stable")
    chunks = np.array_split(order, min(_POINTS, len(order)))
    x = np.array([score[chunk].mean() for chunk in chunks])
    y = np.array([truth[chunk].mean() for chunk in chunks])
    x = np.maximum.accumulate(x)  # means of equal scores may differ in their last digit
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


def _best(
    gain: str, own_head: str, masks: ScoredMasks, fitted: ScoredMasks, bounding: ScoredMasks
) -> Reading | None:
    """The reading of all masks that tells a gain best; None where nothing is to be gained.

    Fitted on one part and tried on the other, the readings compete.
    """
    everything, learned, tried = (
        part.where(~np.isnan(part.gains[gain])) for part in (masks, fitted, bounding)
    )
    if not len(learned.iou) or not len(tried.iou):
        return None
    heads = [head for head in _HEADS[gain] if head in learned.scores]
    ways: list[Callable[[ScoredMasks, Values], Reading]] = [partial(_alone, head) for head in heads]
    ways.append(partial(_mixed, (own_head, *heads)))
    best = min(ways, key=lambda way: _squared_error(way(learned, learned.gains[gain]), tried, gain))
    return best(everything, everything.gains[gain])


def _alone(name: str, masks: ScoredMasks, truth: Values) -> Reading:
    return Reading({name: 1.0}, rising_curve(masks.scores[name], truth))


def _mixed(heads: Sequence[str], masks: ScoredMasks, truth: Values) -> Reading:
    """Of heads and company by ridge regression; the constant is the curve's."""
    names = [*heads, *(name for name in COMPANY if name in masks.scores)]
    columns = np.stack([masks.scores[name] for name in names], 1)
    spread = columns.std(0) + 1e-9
    centred = (columns - columns.mean(0)) / spread
    square = centred.T @ centred + _RIDGE * len(truth) * np.eye(len(names))
    weights = np.linalg.solve(square, centred.T @ (truth - truth.mean())) / spread
    curve = rising_curve(columns @ weights, truth)
    return Reading(dict(zip(names, weights.tolist(), strict=True)), curve)


def _squared_error(reading: Reading, masks: ScoredMasks, gain: str) -> float:
    return float(((reading(masks.scores) - masks.gains[gain]) ** 2).mean())
