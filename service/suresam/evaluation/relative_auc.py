"""How well a score finds the cases in which paying more would help."""

import numpy as np
from numpy.typing import NDArray


def supervision_curve(gain: NDArray[np.float64], score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean gain when the highest scores are paid for first.

    Args:
        gain: (N,) expensive answer minus cheap one, of any sign.
        score: (N,), higher is paid for sooner; equal scores in no order, so that each of them
            takes the mean gain of all.

    Returns:
        (N + 1,) mean gain over all cases once 0 to N of them are paid for.
    """
    order = np.argsort(-score, kind="stable")
    _, first, counts = np.unique(-score[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(gain[order], first)
    shared = np.repeat(sums / counts, counts)
    return np.concatenate([[0.0], shared.cumsum()]) / len(gain)


def relative_auc(gain: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """Area under `supervision_curve`, 0 for the worst order, 0.5 for none, 1 for the best.

    NaN where all gains are equal, since then no order is better than another.

    Source: UncertainSAM (arXiv 2505.05049), tables of relative area under the curve; their
    normalisation is not published, this one reproduces their figures to about half a point:
    (A - W) / (O - W) with the areas A of this order, O of the best and W of the worst.
    """
    area, best, worst = (_area(supervision_curve(gain, order)) for order in (score, gain, -gain))
    return (area - worst) / (best - worst) if best > worst else float("nan")


def _area(curve: NDArray[np.float64]) -> float:
    return float((curve[1:] + curve[:-1]).mean() / 2)
