"""GrabCut from a box: what was done before networks, a colour model of inside and outside."""

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Mask
from suresam.evaluation.baselines import filled_box

ITERATIONS = 5
LONGEST_SIDE = 512
"""Pixels; larger pictures are made smaller first, for time grows with their area. Not smaller
still: its price of a border is fixed, and on BSDS500 at 256 px it reached half of the IoU.
"""

_FEWEST_PIXELS = 5
"""OpenCV fits five colours to the inside and to the outside, each from as many pixels."""


def grabcut(image: NDArray[np.uint8], box: tuple[float, float, float, float]) -> Mask:
    """Segment what is in a box; the filled box where inside or outside is all but nothing.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: x1, y1, x2, y2 in pixels.

    Returns:
        (H, W) bool.

    Source: Rother, Kolmogorov and Blake (2004), in OpenCV's implementation.
    """
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    x1, y1 = (int(value * scale) for value in box[:2])
    x2, y2 = (int(np.ceil(value * scale)) for value in box[2:])
    inside = (min(x2, size[0]) - x1) * (min(y2, size[1]) - y1)
    if min(inside, size[0] * size[1] - inside) < _FEWEST_PIXELS:
        return filled_box((height, width), box)
    labels = np.zeros((size[1], size[0]), np.uint8)
    cv2.setRNGSeed(0)  # it starts from random clusters
    cv2.grabCut(
        cv2.cvtColor(small, cv2.COLOR_RGB2BGR),
        labels,
        (x1, y1, x2 - x1, y2 - y1),
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        ITERATIONS,
        cv2.GC_INIT_WITH_RECT,
    )
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    full = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full > 0.5)
