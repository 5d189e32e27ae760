"""Where a click goes, and what it means."""

from dataclasses import dataclass

from suresam.domain import Point, Rle


@dataclass(frozen=True, slots=True)
class Aim:
    """A place to click on a picture.

    Attributes:
        point: in pixels.
        truth: the mask that is meant; None where nobody knows.
        scene: seed of the picture's drawing, where the truth is known.
    """

    point: Point
    truth: Rle | None = None
    scene: int | None = None
