"""What masks score that know nothing of objects: the floor under every model."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Mask

RADII = tuple(float(radius) for radius in np.geomspace(0.02, 0.7, 14))
"""Radii that are tried, as shares of the root of the picture's area (of a square's side)."""

TOLERANCES = (2, 4, 6, 8, 10, 13, 16, 20, 25, 31, 38, 47, 58, 72, 90)
"""Colour differences that are tried, largest of the three channels, of 255."""

_SMOOTHING = 9
"""Side in pixels of the median taken before a flood fill, which else stops at every grain. Of
several filters and sides this one served it best, on scenes and photographs together.
"""


def discs(shape: tuple[int, int], click: tuple[int, int]) -> Iterator[Mask]:
    """A disc round the clicked pixel for every radius of `RADII`, each (H, W) bool.

    A pixel belongs to a disc if its middle is within the radius of the clicked pixel's middle.
    """
    height, width = shape
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(x - click[0], y - click[1]) / np.sqrt(height * width)
    for radius in RADII:
        yield distance <= radius


def smoothed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image, (H, W, 3) uint8, after a median of 9 x 9 pixels: what `flood_fills` takes."""
    return np.asarray(cv2.medianBlur(image, _SMOOTHING), np.uint8)


def flood_fills(smooth: NDArray[np.uint8], click: tuple[int, int]) -> Iterator[Mask]:
    """The connected pixels of the clicked one's colour for every tolerance of `TOLERANCES`.

    Colours are compared with the clicked pixel's own.

    Args:
        smooth: (H, W, 3) uint8 RGB, `smoothed`; it is not changed.
        click: pixel x, y.
    """
    height, width = smooth.shape[:2]
    how = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
    for tolerance in TOLERANCES:
        filled = np.zeros((height + 2, width + 2), np.uint8)  # OpenCV wants a rim
        cv2.floodFill(smooth, filled, click, 0, (tolerance,) * 3, (tolerance,) * 3, how)
        yield filled[1:-1, 1:-1].astype(np.bool_)


def filled_box(shape: tuple[int, int], box: tuple[float, float, float, float]) -> Mask:
    """All pixels of a box whose corners lie on whole pixels, (H, W) bool."""
    mask = np.zeros(shape, np.bool_)
    x1, y1, x2, y2 = (int(value) for value in box)
    mask[y1:y2, x1:x2] = True
    return mask


@dataclass(frozen=True, slots=True)
class ChosenSettings:
    """Which of a baseline's settings serve a set of clicks best.

    They are chosen on the very clicks that they are judged on, which flatters the baseline.

    Attributes:
        one: index of the setting with the highest mean IoU.
        three: indices of the three whose better one, click by click, is highest on average.
    """

    one: int
    three: tuple[int, int, int]


def choose_settings(ious: NDArray[np.float64]) -> ChosenSettings:
    """Choose settings for a set of clicks: (N, S) IoUs, N at least 1 and S at least 3."""
    triples = list(combinations(range(ious.shape[1]), 3))
    reached = [float(ious[:, triple].max(axis=1).mean()) for triple in triples]
    return ChosenSettings(int(ious.mean(axis=0).argmax()), triples[int(np.argmax(reached))])
