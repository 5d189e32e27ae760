"""How much is lost when only the masks of the highest scores are kept."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def risk_coverage_area(score: Values, iou: Values, weights: Values) -> Values:
    """Mean, over all coverages, of the risk 1 - IoU of the masks that are kept, best score first.

    Equal scores are kept in no order, so that each of them takes the mean risk of all: a
    calibration's curve is level in places, and the order of a file must not decide there.

    Args:
        score, iou: (N,).
        weights: (R, N), how often each resample holds each mask.

    Returns:
        (R,); lower is better.

    Source: Geifman and El-Yaniv (2017), with 1 - IoU as the risk.
    """
    kept, risk = _kept(score, iou, weights)
    return np.asarray(np.einsum("rn,rn->r", risk, kept) / kept.sum(1))


def risk_coverage_curve(score: Values, iou: Values, most: int = 200) -> tuple[Values, Values]:
    """The curve whose mean height is `risk_coverage_area`.

    Args:
        score, iou: (N,) at least one.
        most: points of the curve.

    Returns:
        Coverages, rising to 1, and the risk at each.
    """
    _, risk = _kept(score, iou, np.ones((1, len(iou))))
    counts = np.unique(np.ceil(np.linspace(0, len(iou), min(most, len(iou)) + 1)[1:]).astype(int))
    return counts / len(iou), risk[0, counts - 1]


def _kept(score: Values, iou: Values, weights: Values) -> tuple[Values, Values]:
    """(R, N) weights and risks of what is kept up to each mask, best score first.

    In place wherever it can be: of many masks and resamples, memory is what takes the time.
    """
    order = np.argsort(-score, kind="stable")
    kept = np.take(weights, order, axis=1)
    risk = kept * (1 - iou[order])
    first = np.flatnonzero(np.diff(-score[order], prepend=-np.inf))
    for start, end in zip(first, [*first[1:], len(order)], strict=True):
        if end - start > 1:
            weight, lost = kept[:, start:end], risk[:, start:end]
            mean = lost.sum(1, keepdims=True) / np.maximum(weight.sum(1, keepdims=True), 1)
            np.multiply(weight, mean, out=lost)
    so_far = kept.cumsum(1)
    np.cumsum(risk, axis=1, out=risk)
    risk /= np.maximum(so_far, 1, out=so_far)
    return kept, risk
