"""Places and sizes in an image."""

from dataclasses import dataclass
from typing import NamedTuple


class Point(NamedTuple):
    """Pixels of the image as displayed; x to the right, y down."""

    x: float
    y: float


class Box(NamedTuple):
    """Corners in pixels of the image as displayed; x1 < x2, y1 < y2."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class ImageSize:
    """Pixels of an image as displayed (EXIF orientation applied)."""

    width: int
    height: int
