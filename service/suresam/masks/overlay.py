"""A picture of masks and prompts over their image, for people to look at."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from suresam.domain import Box, Point

Colour = tuple[int, int, int]

# Okabe and Ito (2008), "Color Universal Design": told apart with any colour vision.
_BEST: Colour = (86, 180, 233)
_OTHERS: tuple[Colour, ...] = ((230, 159, 0), (204, 121, 167), (240, 228, 66))
_FOREGROUND: Colour = (0, 158, 115)
_BACKGROUND: Colour = (213, 94, 0)
_WHITE: Colour = (255, 255, 255)
_DARK: Colour = (20, 20, 20)

_FILL_OPACITY = 0.45
_MIN_SIDE = 640


def draw_overlay(
    image: NDArray[np.uint8],
    masks: Sequence[NDArray[np.bool_]],
    points: Sequence[Point] = (),
    labels: Sequence[int] = (),
    box: Box | None = None,
    captions: Sequence[str] = (),
    best: int = 0,
    advised: Point | None = None,
) -> Image.Image:
    """Draw candidates, clicks and box.

    The best mask is filled and outlined, the others are outlines in colours of their own; a
    foreground click is a green plus, a background click a red minus, an advised one an empty ring.
    An image whose longer side is under 640 pixels is enlarged by a whole factor, so that lines and
    letters stay small beside it.

    Args:
        image: (H, W, 3) RGB uint8.
        masks: (H, W) bool each.
        points: clicks in pixels of the image.
        labels: one for each point: 1 foreground, 0 background.
        box: a box prompt in pixels of the image.
        captions: one for each mask, shown in the legend; none for no legend.
        best: index of the filled mask.
        advised: the click that the service asks for, in pixels of the image, or None.
    """
    scale = max(1, _MIN_SIDE // max(image.shape[:2]))
    canvas = _enlarge(image, scale, cv2.INTER_CUBIC)
    enlarged = [_enlarge(mask.view(np.uint8), scale, cv2.INTER_NEAREST) for mask in masks]
    line = max(2, round(max(canvas.shape[:2]) / 500))
    others = [i for i in range(len(masks)) if i != best]
    colours = {i: _OTHERS[rank % len(_OTHERS)] for rank, i in enumerate(others)} | {best: _BEST}

    for mask in enlarged[best : best + 1]:
        tint = (1 - _FILL_OPACITY) * canvas[mask > 0] + _FILL_OPACITY * np.array(_BEST)
        canvas[mask > 0] = tint.astype(np.uint8)
    for i in sorted(range(len(masks)), key=lambda i: i == best):
        _outline(canvas, enlarged[i], colours[i], line)
    if box is not None:
        x1, y1, x2, y2 = (round(scale * value) for value in box)
        for colour, width in ((_DARK, line + 2), (_WHITE, line)):
            cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, width, cv2.LINE_AA)
    for point, label in zip(points, labels, strict=True):
        _click(canvas, point, label == 1, scale, 4 * line)
    if advised is not None:
        centre = (round(scale * advised.x), round(scale * advised.y))
        for colour, width in ((_DARK, line + 4), (_WHITE, line + 1)):
            cv2.circle(canvas, centre, 4 * line, colour, width, cv2.LINE_AA)
    picture = Image.fromarray(canvas)
    if captions:
        entries = [(caption, colours[i], i == best) for i, caption in enumerate(captions)]
        _legend(picture, entries, enlarged[best : best + 1], 8 * line)
    return picture


def _enlarge(pixels: NDArray[np.uint8], scale: int, interpolation: int) -> NDArray[np.uint8]:
    enlarged = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=interpolation)
    return np.asarray(enlarged, np.uint8)


def _outline(canvas: NDArray[np.uint8], mask: NDArray[np.uint8], colour: Colour, line: int) -> None:
    rings, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    # A dark rim keeps a light line visible on a light ground.
    cv2.polylines(canvas, rings, True, _DARK, line + 2, cv2.LINE_AA)
    cv2.polylines(canvas, rings, True, colour, line, cv2.LINE_AA)


def _click(
    canvas: NDArray[np.uint8], point: Point, is_foreground: bool, scale: int, radius: int
) -> None:
    x, y = (round(scale * value) for value in point)
    colour = _FOREGROUND if is_foreground else _BACKGROUND
    cv2.circle(canvas, (x, y), radius + max(2, radius // 5), _WHITE, -1, cv2.LINE_AA)
    cv2.circle(canvas, (x, y), radius, colour, -1, cv2.LINE_AA)
    arm, stroke = round(0.55 * radius), max(2, radius // 4)
    cv2.line(canvas, (x - arm, y), (x + arm, y), _WHITE, stroke, cv2.LINE_AA)
    if is_foreground:
        cv2.line(canvas, (x, y - arm), (x, y + arm), _WHITE, stroke, cv2.LINE_AA)


def _legend(
    picture: Image.Image,
    entries: Sequence[tuple[str, Colour, bool]],
    avoided: Sequence[NDArray[np.uint8]],
    letter: int,
) -> None:
    """Put a panel into the corner where it hides least of the masks to be avoided."""
    font = ImageFont.load_default(letter)
    gap = letter // 2
    text_width = max(round(font.getlength(text)) for text, _, _ in entries)
    width = gap + letter + gap + text_width + gap
    height = gap + (letter + gap) * len(entries)
    right, bottom = picture.width - width - gap, picture.height - height - gap
    corners = [(x, y) for y in (gap, bottom) for x in (gap, right)]
    left, top = min(
        corners,
        key=lambda at: sum(int(m[at[1] :, at[0] :][:height, :width].sum()) for m in avoided),
    )
    draw = ImageDraw.Draw(picture, "RGBA")
    draw.rounded_rectangle((left, top, left + width, top + height), gap, fill=(*_DARK, 190))
    for row, (text, colour, is_filled) in enumerate(entries):
        x, y = left + gap, top + gap + row * (letter + gap)
        fill = (*colour, 255) if is_filled else None
        draw.rectangle((x, y, x + letter, y + letter), fill, (*colour, 255), max(2, letter // 6))
        draw.text((x + letter + gap, y + letter / 2), text, (*_WHITE, 255), font, anchor="lm")
