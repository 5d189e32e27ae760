"""Contact sheets: small pictures with tinted masks, clicks and words, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from suresam.datasets import Mask
from suresam.evaluation.pictures import marked

TRUTH, ANSWER, BEST = (70, 215, 80), (60, 140, 255), (255, 150, 40)
"""RGB of the exact mask, of the answer a user would get, and of the best one on offer."""

_PAPER, _INK = (24, 24, 28), (235, 235, 235)
_GAP, _SPACE, _HEAD, _CAPTION = 2, 10, 32, 17


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One small picture.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool drawn over it, or None.
        colour: RGB of the mask.
        click: x, y in pixels of the image.
        text: a few words above it.
    """

    image: NDArray[np.uint8]
    mask: Mask | None
    colour: tuple[int, int, int]
    click: tuple[int, int]
    text: str


def draw_sheet(
    title: str, cells: Sequence[Sequence[Tile]], columns: int = 4, side: int = 160
) -> Image.Image:
    """Lay cells out in rows; the tiles of one cell stand together.

    Args:
        title: one line above.
        cells: all with as many tiles; at least one.
        columns: cells in a row.
        side: width of a tile in pixels; pictures keep their aspect ratio within it.
    """
    columns = min(columns, len(cells))
    aspect = np.median([c[0].image.shape[0] / c[0].image.shape[1] for c in cells])
    height = round(side * float(np.clip(aspect, 0.75, 1.0)))
    wide = len(cells[0]) * (side + _GAP) - _GAP + _SPACE
    high = _CAPTION + height + _SPACE
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * wide + _SPACE, _HEAD + rows * high), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    draw.text((_SPACE, 7), title, _INK, ImageFont.load_default(16))
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        top = _HEAD + row * high
        for place, tile in enumerate(cell):
            left = _SPACE + column * wide + place * (side + _GAP)
            draw.text((left + 1, top), tile.text, tile.colour, font)
            drawn = marked(tile.image, tile.mask, tile.colour, tile.click, side, height)
            sheet.paste(Image.fromarray(drawn), (left, top + _CAPTION))
    return sheet


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a PNG, all or nothing: somebody may be looking at the one before."""
    partial = path.with_suffix(".partial")
    sheet.save(partial, format="PNG")
    partial.replace(path)
