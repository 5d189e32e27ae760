"""How well two masks agree along their borders, whatever their size."""

import cv2
import numpy as np

from suresam.datasets import Mask

TOLERANCE = 0.0075
"""Largest distance of two borders that count as one, as a share of the picture's diagonal."""

_WIDEST_DISC = 10.0
"""Pixels up to which growing a border by a disc is faster than measuring every distance."""


def boundary_f(predicted: Mask, truth: Mask, tolerance: float = TOLERANCE) -> float:
    """Boundary F: harmonic mean of the borders' precision and recall.

    Precision is the share of the predicted border that lies within the tolerance of the true
    one, recall the reverse. The picture's rim is no border.

    Args:
        predicted, truth: (H, W) bool.
        tolerance: as a share of the diagonal, sqrt(H^2 + W^2).

    Returns:
        In [0, 1]. Two masks without any border (empty or full) agree, 1; one with and one
        without do not, 0.

    Source: Martin, Fowlkes and Malik (2004) for the measure and the tolerance of the Berkeley
    benchmark; DAVIS, Perazzi et al. (2016), for masks, with its definition of a border pixel.
    Both borders are matched by distance and not one to one.
    """
    height, width = truth.shape
    reach = tolerance * float(np.hypot(height, width))
    window = _window(predicted | truth, margin=int(reach) + 2)
    one, other = _border(predicted[window]), _border(truth[window])
    if not one.any() or not other.any():
        return float(one.any() == other.any())
    precision = float(_near(other, reach)[one].mean())
    recall = float(_near(one, reach)[other].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _window(mask: Mask, margin: int) -> tuple[slice, slice]:
    """Rows and columns that hold the mask and some margin: all that a border needs."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return slice(0, 1), slice(0, 1)
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return slice(top, rows[-1] + 1 + margin), slice(left, columns[-1] + 1 + margin)


def _border(mask: Mask) -> Mask:
    """Pixels that differ from the one to their right, below, or below to the right."""
    more = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here = more[:-1, :-1]
    return np.asarray((here != more[:-1, 1:]) | (here != more[1:, :-1]) | (here != more[1:, 1:]))


def _near(border: Mask, reach: float) -> Mask:
    """Pixels whose distance to the nearest border pixel is at most `reach` pixels."""
    if reach > _WIDEST_DISC:
        inverse = (~border).astype(np.uint8)
        distance = cv2.distanceTransform(inverse, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(distance <= reach)
    y, x = np.ogrid[-int(reach) : int(reach) + 1, -int(reach) : int(reach) + 1]
    disc = (x * x + y * y <= reach * reach).astype(np.uint8)
    return cv2.dilate(border.astype(np.uint8), disc).astype(np.bool_)
