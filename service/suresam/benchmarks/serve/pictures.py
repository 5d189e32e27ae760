"""Pictures to upload: every one has bytes that no server has seen before."""

import re
import secrets
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.errors import ConfigurationError
from suresam.scenes.scene import TEST_SEEDS, draw_scene

_SCENE_SIZE = 320
_PER_SIZE = 2
_QUALITY = 90
_START_OF_IMAGE, _COMMENT = b"\xff\xd8", b"\xff\xfe"


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG file and its size in pixels."""

    width: int
    height: int
    data: bytes


class Pictures:
    """Drawn scenes of several sizes, as many as are asked for.

    They are coded once, when this is made. Each picture handed out is one of them with a JPEG
    comment of its own: other bytes, which a server must take for another image, and no work
    while the load runs. The comment is random, so a second run meets no cache of the first.

    Args:
        sizes: width and height in pixels; taken in turn.
        seed: of the scenes.
    """

    def __init__(self, sizes: tuple[tuple[int, int], ...], seed: int) -> None:
        self._coded = [
            Picture(width, height, _coded(TEST_SEEDS[seed + number], width, height))
            for number in range(_PER_SIZE)
            for width, height in sizes
        ]
        self._run = secrets.token_hex(8)
        self._numbers = count()

    def another(self) -> Picture:
        """A picture that was never handed out before."""
        number = next(self._numbers)
        coded = self._coded[number % len(self._coded)]
        comment = f"{self._run} {number}".encode()
        segment = _COMMENT + (len(comment) + 2).to_bytes(2, "big") + comment
        data = b"".join((_START_OF_IMAGE, segment, memoryview(coded.data)[2:]))
        return Picture(coded.width, coded.height, data)


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
    coded = cv2.imencode(
        ".jpg", cv2.cvtColor(grainy, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )[1]
    return coded.tobytes()
