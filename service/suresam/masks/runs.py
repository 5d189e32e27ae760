"""Where a packed mask changes: run lengths, area and bounding box without unpacking its pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from suresam.domain import Rle


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """A mask as lengths of equal pixels, column by column.

    Attributes:
        height, width: of the mask, pixels.
        edges: (N + 1,) int64, ascending: 0, every place whose pixel differs from the one before
            it, and the number of pixels. Background comes first, with no pixels if need be.
    """

    height: int
    width: int
    edges: NDArray[np.int64]

    @property
    def area(self) -> int:
        """Foreground pixels."""
        return int(np.diff(self.edges)[1::2].sum())

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """x, y, width, height in pixels; zeros for an empty mask."""
        starts = self.edges[1:-1:2]
        if not len(starts):
            return (0, 0, 0, 0)
        lasts = self.edges[2::2] - 1
        if len(lasts) < len(starts):  # the last pixel is foreground
            lasts = np.append(lasts, self.edges[-1] - 1)
        left, right = int(starts[0]) // self.height, int(lasts[-1]) // self.height
        if (starts // self.height < lasts // self.height).any():
            top, bottom = 0, self.height - 1  # a run over two columns has the end of one
        else:
            top = int((starts % self.height).min())
            bottom = int((lasts % self.height).max())
        return (left, top, right - left + 1, bottom - top + 1)

    def rle(self) -> Rle:
        """COCO's compressed form."""
        size = (self.height, self.width)
        [text] = coco.frPyObjects([{"size": size, "counts": np.diff(self.edges)}], *size)
        return Rle(size=size, counts=text["counts"].decode("ascii"))


def packed_runs(bits: NDArray[np.uint8], height: int, width: int) -> Runs:
    """The runs of a mask whose pixels are packed column by column.

    Bits are compared with their neighbours 64 at a time, and only words in which something changes
    are looked into: a fraction of the time of unpacking a mask and reading its pixels.

    Args:
        bits: (ceil(H W / 8),) uint8; the first pixel is the highest bit of the first byte.
        height, width: pixels, at least 1.
    """
    num_pixels = height * width
    words = _as_words(bits)
    before = words >> 1  # every pixel's place holds the pixel before it
    before[1:] |= words[:-1] << 63
    changes = words ^ before
    places = np.flatnonzero(changes)
    in_words = np.unpackbits(changes[places].astype(">u8").view(np.uint8))
    found = np.flatnonzero(in_words.view(np.bool_))  # of numbers it takes twice as long
    found = places[found >> 6] * 64 + (found & 63)
    found = found[found < num_pixels]  # behind the last pixel the packing fills up with zeros
    return Runs(height, width, np.concatenate(([0], found, [num_pixels])))


def _as_words(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The same bits, 64 in a number, filled up with zeros; the first bit is the highest."""
    padded = np.zeros(-(-len(bits) // 8) * 8, np.uint8)
    padded[: len(bits)] = bits
    return padded.view(">u8").astype(np.uint64)
