"""The baseline to beat: a disc drawn round the click."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

RADII = np.geomspace(0.02, 0.7, 14)
"""Radii that are tried, in sides of the picture."""


@dataclass(frozen=True, slots=True)
class DiscFigures:
    """What discs reach, their radii chosen on the same clicks (which flatters them).

    Attributes:
        one_radius: mean IoU with the best single radius.
        radius: that radius, in sides of the picture.
        best_of_three: mean IoU of the better of three radii, click by click.
        three_radii: those radii.
    """

    one_radius: float
    radius: float
    best_of_three: float
    three_radii: tuple[float, float, float]


def disc_ious(mask: NDArray[np.bool_], click: tuple[int, int]) -> NDArray[np.float64]:
    """IoU of the mask with a disc of every radius in `RADII` round the click.

    Args:
        mask: (S, S) bool, not empty.
        click: pixel x, y.

    Returns:
        (len(RADII),) in [0, 1]; a pixel belongs to a disc if its middle is within the radius
        of the clicked pixel's middle.
    """
    side = mask.shape[0]
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    distance = np.hypot(x - click[0], y - click[1]) / side
    disc = np.array([(distance <= radius).sum() for radius in RADII])
    both = np.array([(distance[mask] <= radius).sum() for radius in RADII])
    return np.asarray(both / (disc + mask.sum() - both))


def disc_figures(ious: NDArray[np.float64]) -> DiscFigures:
    """Choose the radii for a set of clicks: (N, len(RADII)) IoUs, N at least 1."""
    means = ious.mean(axis=0)
    one = int(means.argmax())
    triples = list(combinations(range(len(RADII)), 3))
    reached = [float(ious[:, triple].max(axis=1).mean()) for triple in triples]
    three = triples[int(np.argmax(reached))]
    a, b, c = (float(RADII[i]) for i in three)
    return DiscFigures(float(means[one]), float(RADII[one]), max(reached), (a, b, c))
