"""COCO's compressed run lengths of a mask, and back."""

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from suresam.domain import Rle

_FIRST_CHARACTER = 48
_MAX_DIGITS = 7


def encode_rle(mask: NDArray[np.bool_]) -> Rle:
    """Run lengths of a mask, column by column.

    Args:
        mask: (H, W) bool, H and W at least 1. One in Fortran order is read where it lies; any
            other is transposed once, which is most of the cost.
    """
    pixels = mask.view(np.uint8)
    if not pixels.flags.f_contiguous:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8).T
    runs = coco.encode(pixels)
    height, width = mask.shape
    return Rle(size=(height, width), counts=runs["counts"].decode("ascii"))


def decode_rle(rle: Rle) -> NDArray[np.bool_]:
    """The mask of run lengths.

    Read here and not by pycocotools: its `decode` leaves what too short runs do not reach as it
    was in memory, and calls NumPy in a way that warns.

    Returns:
        (H, W) bool in Fortran order.

    Raises:
        ValueError: the text is damaged or its runs do not add up to the size.

    Source: `rleFrString` in pycocotools' maskApi.c.
    """
    height, width = rle.size
    runs = _read_runs(rle.counts)
    if len(runs) == 0 or runs.min() < 0 or runs.sum() != height * width:
        raise ValueError(f"the runs do not fill a mask of {height} x {width} pixels")
    is_foreground: NDArray[np.bool_] = np.arange(len(runs)) % 2 == 1
    mask: NDArray[np.bool_] = np.repeat(is_foreground, runs).reshape(width, height).T
    return mask


def _read_runs(counts: str) -> NDArray[np.int64]:
    # A number is written in digits of five bits, lowest first; a sixth bit says that more follow,
    # and the fifth bit of the last digit is the sign.
    digits = np.frombuffer(counts.encode(), np.uint8).astype(np.int64) - _FIRST_CHARACTER
    ends = np.flatnonzero(digits & 32 == 0)
    lengths = np.diff(ends, prepend=-1)
    is_whole = len(ends) > 0 and ends[-1] == len(digits) - 1 and lengths.max() <= _MAX_DIGITS
    if digits.size and not (is_whole and digits.min() >= 0 and digits.max() < 64):
        raise ValueError("the run lengths are damaged")
    starts = ends - lengths + 1
    places = np.arange(len(digits)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((digits & 31) << (5 * places), starts) if len(ends) else digits
    runs -= np.where(digits[ends] & 16, 1 << (5 * lengths), 0)
    # From the fourth run on the text holds the difference to the run before the last.
    runs[1::2] = runs[1::2].cumsum()
    runs[2::2] = runs[2::2].cumsum()
    return runs
