"""Where the next click tells most: the middle of what the candidates disagree about."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suresam.domain import ImageSize, Point
from suresam.masks.regions import border_distance

_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Chances of being wrong; each bounds a region of its own. Chosen on BSDS500 train and on scenes
that heads are trained on; `docs/models/demo.md` has the alternatives."""

_TAKEN = 2
"""Low-res pixels round a click in which no other one is advised."""


class NextClick(NamedTuple):
    """A click worth making.

    Attributes:
        point: pixels of the image.
        label: 1 where the candidates rather see the thing, else 0.
    """

    point: Point
    label: int


def next_click(
    low_res_logits: NDArray[np.float32],
    weights: NDArray[np.floating[Any]],
    answer: NDArray[np.float32],
    clicks: NDArray[np.floating[Any]],
    size: ImageSize,
) -> NextClick | None:
    """The point that lies deepest where an answer is doubted.

    Candidates mixed by their weights give each pixel a chance that the answer is wrong there. The
    distance from the border of the region over each of several chances, summed, is greatest where
    doubt is both strong and wide; that is far from every border, and so from where a hand or a
    pixel more would decide.

    Args:
        low_res_logits: (K, h, w) of the candidates.
        weights: (K,) not negative, such as their predicted IoUs.
        answer: (h, w) logits of the mask that was answered.
        clicks: (N, 2) x, y from 0 to 1 of the image's width and height; none is advised again.
        size: of the image.

    Returns:
        The click, or None where no pixel has a chance of a tenth to be wrong.

    Source: ours. Clicking the middle of the largest error is what interactive segmentation is
    evaluated with (Xu et al. 2016); here the errors are expected ones.
    """
    height, width = answer.shape
    share = weights + 1e-6  # all alike where none has any weight
    share = share / share.sum()
    with np.errstate(over="ignore"):  # exp of a large logit is infinite, and the chance 0
        chance = np.tensordot(share, 1 / (1 + np.exp(-low_res_logits)), 1)
    wrong = np.where(answer > 0, 1 - chance, chance)
    for x, y in clicks:
        column, row = int(x * width), int(y * height)
        wrong[
            max(row - _TAKEN, 0) : row + _TAKEN + 1, max(column - _TAKEN, 0) : column + _TAKEN + 1
        ] = 0
    depth = border_distance(wrong >= _LEVELS[0])
    for level in _LEVELS[1:]:
        depth += border_distance(wrong >= level)
    place = int(np.argmax(depth))
    row, column = divmod(place, width)
    if depth[row, column] <= 0:
        return None
    point = Point((column + 0.5) / width * size.width, (row + 0.5) / height * size.height)
    return NextClick(point, int(chance[row, column] >= 0.5))
