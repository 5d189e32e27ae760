"""Pictures to upload: every one has bytes that no server has seen before."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.benchmarks.serve.aim import Aim
from suresam.domain import Point
from suresam.errors import ConfigurationError
from suresam.scenes.scene import TEST_SEEDS, draw_scene

_SCENE_SIZE = 320
_PER_SIZE = 2
_QUALITY = 90
_PLACES = 1_000_003
"""A click's place is taken as one of so many, to draw a click whose meaning is known."""

_START_OF_IMAGE, _COMMENT = b"\xff\xd8", b"\xff\xfe"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG file.

    Attributes:
        width, height: pixels.
        data: of the file.
        aims: the clicks on it whose meaning is known; none without them.
    """

    width: int
    height: int
    data: bytes
    aims: tuple[Aim, ...] = ()

    def aim(self, x: float, y: float) -> Aim:
        """Where a click goes that was drawn at a place, shares of width and height.

        Where meanings are known the place draws one of those clicks and says no more.
        """
        if self.aims:
            return self.aims[int(x * _PLACES) % len(self.aims)]
        return Aim(Point(x * self.width, y * self.height))


class PicturePile:
    """Pictures that are handed out in turn, as many as are asked for.

    Each is one of those given with a JPEG comment of its own: other bytes, which a server must
    take for another image, and no work while the load runs. The comment is random, so a second
    run meets no cache of the first.

    Args:
        coded: at least one.
    """

    def __init__(self, coded: Sequence[Picture]) -> None:
        self._coded = coded
        self._run = secrets.token_hex(8)
        self._numbers = count()

    def another(self) -> Picture:
        """A picture that was never handed out before."""
        number = next(self._numbers)
        coded = self._coded[number % len(self._coded)]
        comment = f"{self._run} {number}".encode()
        segment = _COMMENT + (len(comment) + 2).to_bytes(2, "big") + comment
        data = b"".join((_START_OF_IMAGE, segment, memoryview(coded.data)[2:]))
        return replace(coded, data=data)


class Pictures(PicturePile):
    """Drawn scenes of several sizes, coded when this is made.

    Args:
        sizes: width and height in pixels; taken in turn.
        seed: of the scenes.
    """

    def __init__(self, sizes: tuple[tuple[int, int], ...], seed: int) -> None:
        super().__init__(
            [
                Picture(width, height, _coded(TEST_SEEDS[seed + number], width, height))
                for number in range(_PER_SIZE)
                for width, height in sizes
            ]
        )


def parse_sizes(text: str) -> tuple[tuple[int, int], ...]:
    """Sizes as in `640x480,1024x768`.

    Raises:
        ConfigurationError: it is something else.
    """
    matches = [re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", part) for part in text.split(",")]
    sizes = tuple((int(found[1]), int(found[2])) for found in matches if found)
    if len(sizes) < len(matches):
        raise ConfigurationError(f"--sizes={text!r} is not WIDTHxHEIGHT,... in pixels")
    return sizes


def _coded(seed: int, width: int, height: int) -> bytes:
    scene: NDArray[np.uint8] = draw_scene(seed, _SCENE_SIZE).image
    large = cv2.resize(scene, (width, height), interpolation=cv2.INTER_CUBIC)
    # An enlarged scene is smoother than any photograph, and its file far smaller.
    noise = np.random.default_rng(seed).normal(0, 4, large.shape)
    grainy = (large + noise).clip(0, 255).astype(np.uint8)
    return jpeg(grainy, _QUALITY)


def jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """An image as a file.

    Args:
        image: (H, W, 3) uint8 RGB.
        quality: 1 to 100.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())
