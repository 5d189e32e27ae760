"""Pictures of what a segmenter answers, for people to judge."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from suresam.datasets import Dataset, Example, Mask
from suresam.evaluation.measuring import IOU, Measurements
from suresam.evaluation.questions import CLICK_TOP
from suresam.masks.rle import decode_rle

Picture = NDArray[np.uint8]

_TRUTH, _ANSWER = (60, 220, 60), (40, 120, 255)
_GROUND, _WORDS = (24, 24, 28), (235, 235, 235)
_TITLE_HEIGHT = 30
_GAP = 4
_LONGEST_NAME = 24


def best_median_worst(
    dataset: Dataset, measured: Measurements, who: str, columns: int = 8, side: int = 200
) -> Picture:
    """A model's best, middle and worst answers to one click, truth above and answer below.

    Args:
        dataset: that was measured; the shown pictures are read again.
        measured: at least one target.
        who: the model.
        columns: answers in each of the three rows.
        side: of each small picture in pixels.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    ious = measured.models[who][CLICK_TOP][:, IOU]
    order = np.argsort(-ious, kind="stable")
    count = min(columns, len(order))
    start = (len(order) - count) // 2
    bands = {
        "best": order[:count],
        "middle": order[start : start + count],
        "worst": order[::-1][:count],
    }
    read = cache(dataset.__getitem__)  # a picture may be in several rows
    parts = []
    for word, chosen in bands.items():
        title = (
            f"{who}, one click: {word} {count} of {len(ious)}, truth above, answer and IoU below"
        )
        cells = [_cell(read, measured, who, int(i), float(ious[i]), side) for i in chosen]
        parts.append(_titled(title, _row(cells, columns)))
    return np.concatenate(parts)


def marked(
    image: Picture,
    mask: Mask | None,
    colour: tuple[int, int, int],
    click: tuple[int, int],
    width: int,
    height: int,
) -> Picture:
    """The picture with a tinted mask, its border and the click, fitted into a frame.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, or None.
        colour: RGB of tint and border.
        click: pixel x, y.
        width, height: of the frame in pixels.

    Returns:
        (height, width, 3) uint8 RGB, the picture in the middle.
    """
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    if mask is not None:
        cover = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        tint = 0.45 * cover[..., None]
        small = np.rint(small * (1 - tint) + np.array(colour) * tint).astype(np.uint8)
        inside = (cover >= 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(small, outlines, -1, colour, 1)
    place = (int((click[0] + 0.5) * scale), int((click[1] + 0.5) * scale))
    cv2.circle(small, place, 4, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(small, place, 3, (230, 0, 0), -1, cv2.LINE_AA)
    frame = np.full((height, width, 3), _GROUND, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    frame[top : top + size[1], left : left + size[0]] = small
    return frame


def overlaid(
    image: Picture,
    mask: Mask,
    colour: tuple[int, int, int],
    click: tuple[int, int],
    text: str,
    side: int,
) -> Picture:
    """The picture with a tinted mask, its border, the click and a word, fitted into a square.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        colour: RGB of tint and border.
        click: pixel x, y.
        text: written into the upper left corner.
        side: of the square in pixels.
    """
    cell = marked(image, mask, colour, click, side, side)
    _write(cell, text, (5, 3))
    return cell


def _cell(
    read: Callable[[int], Example],
    measured: Measurements,
    who: str,
    target: int,
    iou: float,
    side: int,
) -> Picture:
    record = measured.targets[target]
    example = read(record.example)
    answer = np.ascontiguousarray(decode_rle(measured.shown[who][target]))
    truth = example.masks[record.index]
    words = record.image_id[-_LONGEST_NAME:]
    return _pair(example.image, truth, answer, record.click, words, f"IoU {iou:.2f}", side)


def _pair(
    image: Picture,
    truth: Mask,
    answer: Mask,
    click: tuple[int, int],
    above: str,
    below: str,
    side: int,
) -> Picture:
    upper = overlaid(image, truth, _TRUTH, click, above, side)
    return np.concatenate([upper, overlaid(image, answer, _ANSWER, click, below, side)])


def _row(cells: list[Picture], columns: int) -> Picture:
    blank = np.full_like(cells[0], _GROUND)
    spaced = [np.pad(cell, ((0, _GAP), (0, _GAP), (0, 0))) for cell in cells]
    spaced += [np.pad(blank, ((0, _GAP), (0, _GAP), (0, 0)))] * (columns - len(cells))
    return np.concatenate(spaced, axis=1)


def _titled(title: str, content: Picture) -> Picture:
    bar = np.full((_TITLE_HEIGHT, content.shape[1], 3), _GROUND, np.uint8)
    _write(bar, title, (6, 6), 15)
    return np.concatenate([bar, content])


def _write(picture: Picture, text: str, place: tuple[int, int], size: int = 13) -> None:
    """Write into the picture itself, light on a dark edge."""
    drawn = Image.fromarray(picture)
    ImageDraw.Draw(drawn).text(
        place, text, _WORDS, _font(size), stroke_width=2, stroke_fill=(0, 0, 0)
    )
    picture[:] = np.asarray(drawn)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
