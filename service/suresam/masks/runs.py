"""Run lengths of packed masks, read without unpacking their pixels."""

import numpy as np
from numpy.typing import NDArray

_WORD_BITS = 64


def run_lengths(bits: NDArray[np.uint8], num_pixels: int) -> list[NDArray[np.int64]]:
    """Lengths of equal pixels, background first (with none of it if need be), for each mask.

    Bits are compared with their neighbours 64 at a time, and only words in which something changes
    are looked into: a fraction of the time of unpacking a mask and reading its pixels. All masks go
    together, since most of what is left is the price of a call.

    Args:
        bits: (M, ceil(num_pixels / 8)) uint8; the first pixel is the highest bit of the first byte.
        num_pixels: of each mask, at least 1.
    """
    words = _as_words(bits)
    before = words >> 1  # every pixel's place holds the pixel before it
    before[:, 1:] |= words[:, :-1] << (_WORD_BITS - 1)
    changes = (words ^ before).ravel()
    (places,) = changes.nonzero()
    in_words = np.unpackbits(changes[places].astype(">u8").view(np.uint8))
    (found,) = in_words.view(np.bool_).nonzero()  # of numbers it takes twice as long
    found = places[found // _WORD_BITS] * _WORD_BITS + found % _WORD_BITS
    mask_bits = words.shape[1] * _WORD_BITS
    starts = range(0, len(words) * mask_bits, mask_bits)
    # Behind the last pixel the packing fills up with zeros, which are no change.
    firsts, lasts = found.searchsorted(([*starts], [start + num_pixels for start in starts]))
    return [
        _lengths(start, found[first:last], start + num_pixels)
        for start, first, last in zip(starts, firsts, lasts, strict=True)
    ]


def _lengths(start: int, changes: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    """As `np.diff` with both ends, which takes several times as long for so few numbers."""
    bounds = np.empty(len(changes) + 2, np.int64)
    bounds[0], bounds[1:-1], bounds[-1] = start, changes, end
    return bounds[1:] - bounds[:-1]


def _as_words(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The same bits, 64 in a number, filled up with zeros; the first bit is the highest."""
    num_masks, num_bytes = bits.shape
    padded = np.zeros((num_masks, -(-num_bytes // 8) * 8), np.uint8)
    padded[:, :num_bytes] = bits
    return padded.view(">u8").astype(np.uint64)
