"""Pictures of what a segmenter answers, for people to judge."""

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.held_out import Example, Mask, intersection_over_union
from suresam.evaluation.prompts import central_click
from suresam.training.predictor import Predictor

_TRUTH = np.array([60, 220, 60])
_ANSWER = np.array([40, 120, 255])

Picture = NDArray[np.uint8]


def contact_sheet(
    predictor: Predictor, examples: list[Example], columns: int = 6, side: int = 192
) -> Picture:
    """Every example's first target: the click and the truth in green, the answer in blue below.

    Args:
        columns: examples in a row.
        side: of each small picture in pixels.

    Returns:
        (H, W, 3) uint8 RGB, the answer's IoU written into its corner.
    """
    cells = []
    for example in examples:
        truth = example.masks[0]
        click = central_click(truth)
        predictor.look(example.image)
        answer = predictor.click([(*click, 1)], None)
        mask = answer.masks[answer.top]
        above = overlaid(example.image, truth, _TRUTH, click, "", side)
        text = f"{intersection_over_union(mask, truth):.2f}"
        below = overlaid(example.image, mask, _ANSWER, click, text, side)
        cells.append(np.concatenate([above, below]))
    blank = np.zeros((2 * side, side, 3), np.uint8)
    cells += [blank] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows)


def overlaid(
    image: Picture,
    mask: Mask,
    colour: NDArray[np.int64],
    click: tuple[int, int],
    text: str,
    side: int,
) -> Picture:
    """The picture with a tinted mask, its border, the click and a word, `side` pixels wide."""
    tinted = np.where(mask[..., None], 0.5 * image + 0.5 * colour, image).astype(np.uint8)
    height = round(side * image.shape[0] / image.shape[1])
    small = cv2.resize(tinted, (side, height), interpolation=cv2.INTER_AREA)
    border = cv2.resize(mask.astype(np.uint8), (side, height), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(border, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(small, outlines, -1, [int(c) for c in colour], 1)
    place = (click[0] * side // image.shape[1], click[1] * height // image.shape[0])
    cv2.circle(small, place, 4, (255, 255, 255), -1)
    cv2.circle(small, place, 3, (230, 0, 0), -1)
    cv2.putText(small, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1)
    return np.asarray(small, np.uint8)
