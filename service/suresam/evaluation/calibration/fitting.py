"""Making a calibration of observed masks: one half of the pictures fits it, the other bounds it."""

from collections.abc import Sequence

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

_POINTS, _RANGES, _FOLDS = 100, 10, 5

_HEADS: dict[str, tuple[str, ...]] = {gap: (gap, gap + DERIVED) for gap in GAPS}
_HEADS[NEXT_CLICK] = (*_HEADS[PROMPT_GAP], *_HEADS[TASK_GAP])
"""Heads that may tell a gain. None learned that of an advised click."""

_RIDGE = 1e-2
"""Times the number of masks, on scores of unit variance."""

Values = NDArray[np.float64]


def fit_member(own_head: str, masks: ScoredMasks, seed: int = 0) -> MemberCalibration:
    """Calibrate one member, single clicks and all other prompts each by themselves.

    The expected IoU is an isotonic curve over the least-squares mix of the own IoU head and all
    scores of `COMPANY`, fitted to one half of the pictures. Intervals are split-conformal:
    quantiles of what the other half missed it by, in ten ranges of expected IoU. Gains are curves
    over mixes of the same scores, the direct head and the difference of two, fitted to all
    pictures.

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
    gains: dict[str, Reading] = {}
    for gain, all_truths in masks.gains.items():
        known = masks.where(~np.isnan(all_truths))
        if len(known.iou):  # the largest member has nothing to gain from a larger one
            heads = [head for head in _HEADS[gain] if head in known.scores]
            gains[gain] = _mixed((own_head, *heads), known, known.gains[gain])
    return Expectations(expected, interval, gains)


def rising_curve(score: Values, truth: Values) -> Curve:
    """The rising curve nearest to the truth in the least-squares sense, thinned to 100 points.

    Where isotonic regression is level, one point stands for the whole step, so that the curve
    rises between the steps' middles and keeps the order of the scores.

    Args:
        score, truth: (N,) at least one.

    Source: centred isotonic regression, Oron and Flournoy (2017), on means of N / 100 values.
    """
    order = np.argsort(score, kind="stable")
    chunks = np.array_split(order, min(_POINTS, len(order)))
    x = np.array([score[chunk].mean() for chunk in chunks])
    y = np.array([truth[chunk].mean() for chunk in chunks])
    x = np.maximum.accumulate(x)  # means of equal scores may differ in their last digit
    x, first = np.unique(x, return_index=True)  # equal scores may fill several chunks
    y = np.add.reduceat(y, first) / np.diff([*first, len(y)])
    count = np.add.reduceat(np.array([len(chunk) for chunk in chunks], float), first)
    level = isotonic_regression(y, weights=count)
    starts = level.blocks[:-1]
    middle = np.add.reduceat(x * count, starts) / np.add.reduceat(count, starts)
    return Curve(tuple(middle.tolist()), tuple(np.maximum.accumulate(level.x[starts]).tolist()))


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


def _mixed(heads: Sequence[str], masks: ScoredMasks, truth: Values) -> Reading:
    """Of heads and company by ridge regression, and a curve over mixes of other pictures.

    A curve over the mix of the very masks that it was fitted to would promise too much.
    """
    names = [*heads, *(name for name in COMPANY if name in masks.scores)]
    columns = np.stack([masks.scores[name] for name in names], 1)
    weights, constant = _ridge(columns, truth)
    _, picture = np.unique(masks.picture, return_inverse=True)
    told = columns @ weights
    for number in range(_FOLDS if picture.max() else 0):  # one picture has no others
        is_left_out = picture % _FOLDS == number
        if is_left_out.any():
            without, its_constant = _ridge(columns[~is_left_out], truth[~is_left_out])
            told[is_left_out] = columns[is_left_out] @ without + its_constant - constant
    return Reading(dict(zip(names, weights.tolist(), strict=True)), rising_curve(told, truth))


def _ridge(columns: Values, truth: Values) -> tuple[Values, float]:
    """Weights of the columns and the constant of a penalised least-squares fit."""
    middle, spread = columns.mean(0), columns.std(0) + 1e-9
    centred = (columns - middle) / spread
    square = centred.T @ centred + _RIDGE * len(truth) * np.eye(columns.shape[1])
    weights = np.linalg.solve(square, centred.T @ (truth - truth.mean())) / spread
    return weights, float(truth.mean() - middle @ weights)
