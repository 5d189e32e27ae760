"""How well a score finds the cases in which paying more would help."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def supervision_curve(gain: Values, score: Values) -> Values:
    """Mean gain when the highest scores are paid for first.

    Args:
        gain: (N,) expensive answer minus cheap one, of any sign.
        score: (N,), higher is paid for sooner; equal scores in no order, so that each of them
            takes the mean gain of all.

    Returns:
        (N + 1,) mean gain over all cases once 0 to N of them are paid for.
    """
    order = np.argsort(-score, kind="stable")
    first = group_starts(score[order])
    counts = np.diff([*first, len(gain)])
    shared = np.repeat(np.add.reduceat(gain[order], first) / counts, counts)
    return np.concatenate([[0.0], shared.cumsum()]) / len(gain)


def relative_auc(gain: Values, score: Values) -> float:
    """Area under `supervision_curve`, 0 for the worst order, 0.5 for none, 1 for the best.

    NaN where all gains are equal, since then no order is better than another.

    Source: UncertainSAM (arXiv 2505.05049), tables of relative area under the curve; their
    normalisation is not published, this one reproduces their figures to about half a point:
    (A - W) / (O - W) with the areas A of this order, O of the best and W of the worst.
    """
    return float(weighted_relative_auc(gain, score, np.ones((1, len(gain))))[0])


def weighted_relative_auc(gain: Values, score: Values, weights: Values) -> Values:
    """`relative_auc` of R resamples, (R,).

    Args:
        gain, score: (N,).
        weights: (R, N), how often a resample holds each case.
    """
    area, best, worst = (_areas(gain, order, weights) for order in (score, gain, -gain))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative: Values = np.where(best - worst > 1e-12, (area - worst) / (best - worst), np.nan)
    return relative


def _areas(gain: Values, score: Values, weights: Values) -> Values:
    """(R,) areas under the curves of all resamples; equal scores make one straight piece."""
    order = np.argsort(-score, kind="stable")
    first = group_starts(score[order])
    drawn = weights[:, order]
    width = np.add.reduceat(drawn, first, axis=1)
    rise = np.add.reduceat(drawn * gain[order], first, axis=1)
    height = rise.cumsum(1)
    total = width.sum(1)
    areas: Values = (width * (height - rise / 2)).sum(1) / total**2
    return areas


def group_starts(sorted_scores: Values) -> NDArray[np.int64]:
    """Where each run of equal scores begins, (G,) of (N,)."""
    is_new = np.concatenate([[True], sorted_scores[1:] != sorted_scores[:-1]])
    return np.flatnonzero(is_new)
