"""Logits and maps on the wire: little-endian float16, row by row."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_VALUES = 1024 * 1024
"""Values that one array may hold: the logits of an image of 4096 x 4096 pixels."""


def to_bytes(values: NDArray[np.floating[Any]]) -> bytes:
    """Write an (h, w) array; what lies beyond float16's range becomes infinite."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype="<f2").tobytes()


def from_bytes(data: bytes, shape: Sequence[int]) -> NDArray[np.float16]:
    """Read an (h, w) array.

    Raises:
        ValueError: a side is below 1, there are more than `MAX_VALUES` values, or the data has
            another length than the shape says.
    """
    height, width = shape
    if height < 1 or width < 1 or height * width > MAX_VALUES:
        raise ValueError(
            f"has shape [{height}, {width}]; sides must be at least 1 "
            f"and h*w at most {MAX_VALUES} values"
        )
    expected = 2 * height * width
    if len(data) != expected:
        raise ValueError(
            f"has {len(data)} bytes; shape [{height}, {width}] of float16 takes {expected} bytes"
        )
    return np.frombuffer(data, dtype="<f2").reshape(height, width).astype(np.float16, copy=False)


def to_base64(values: NDArray[np.floating[Any]]) -> str:
    """Write an (h, w) array as text."""
    return base64.b64encode(to_bytes(values)).decode("ascii")


def from_base64(text: str, shape: Sequence[int]) -> NDArray[np.float16]:
    """Read an (h, w) array from text.

    Raises:
        ValueError: as `from_bytes`, or the text is not standard base64 with padding.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("has data that is not base64 (standard alphabet, with padding)") from error
    return from_bytes(data, shape)
