"""How well predicted IoU ranks and matches the true one.

Every statistic takes many resamples of the same N answers at once, each told by how often it
holds every answer, (R, N); the answers themselves are one resample of ones.
"""

import numpy as np
from numpy.typing import NDArray

NUM_BINS = 10
"""Equal bins of predicted IoU, from 0 to 1."""

_LEAST_VARIANCE = 1e-12
"""Below it a column is even, but for rounding."""

Values = NDArray[np.float64]


def pearson(predicted: Values, true: Values, weights: Values) -> Values:
    """Linear correlation in [-1, 1] of every resample; NaN if one of the two never changes.

    Args:
        predicted, true: (N,), or (R, N) where they differ between resamples.
        weights: (R, N), how often each resample holds each answer.

    Returns:
        (R,).
    """
    count = weights.sum(axis=-1, keepdims=True)
    one = predicted - (weights * predicted).sum(axis=-1, keepdims=True) / count
    other = true - (weights * true).sum(axis=-1, keepdims=True) / count
    spread = (weights * one**2).sum(axis=-1), (weights * other**2).sum(axis=-1)
    is_even = np.minimum(*spread) <= _LEAST_VARIANCE * count[..., 0]
    scale = np.where(is_even, np.nan, np.sqrt(spread[0] * spread[1]))
    return np.asarray((weights * one * other).sum(axis=-1) / scale)


def spearman(predicted: Values, true: Values, weights: Values) -> Values:
    """Correlation of the ranks in [-1, 1], ties by their mean rank; otherwise as `pearson`."""
    return pearson(_ranks(predicted, weights), _ranks(true, weights), weights)


def expected_calibration_error(predicted: Values, true: Values, weights: Values) -> Values:
    """Mean over ten bins, weighted by their answers, of |mean predicted - mean true|, [0, 1].

    Args and Returns: as of `pearson`.

    Source: Naeini, Cooper and Hauskrecht (2015), with IoU in the place of accuracy.
    """
    in_bin = _bins(predicted)[:, None] == np.arange(NUM_BINS)
    sums_apart = weights @ (in_bin * (predicted - true)[:, None])
    return np.asarray(np.abs(sums_apart).sum(axis=-1) / weights.sum(axis=-1))


def reliability(predicted: Values, true: Values) -> list[tuple[float, float, int]]:
    """For every bin with answers: mean predicted IoU, mean true IoU, number of answers."""
    bins = _bins(predicted)
    return [
        (float(predicted[bins == i].mean()), float(true[bins == i].mean()), int(count))
        for i, count in enumerate(np.bincount(bins))
        if count
    ]


def _bins(predicted: Values) -> NDArray[np.int64]:
    return np.clip(np.floor(predicted * NUM_BINS), 0, NUM_BINS - 1).astype(np.int64)


def _ranks(values: Values, weights: Values) -> Values:
    """(R, N), the rank of every answer within each resample, from 1."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    alike = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks: Values = alike.cumsum(axis=1) - (alike - 1) / 2
    return ranks[:, place]


STATISTICS = {
    "pearson": pearson,
    "spearman": spearman,
    "expected_calibration_error": expected_calibration_error,
}
"""By the names that reports use."""
