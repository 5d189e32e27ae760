"""A mask as an 8-bit grey PNG, 255 inside and 0 outside, and back."""

import cv2
import numpy as np
from numpy.typing import NDArray


def encode_png(mask: NDArray[np.bool_]) -> bytes:
    """A lossless picture of a mask.

    Args:
        mask: (H, W) bool, H and W at least 1.
    """
    grey = np.multiply(mask, 255, dtype=np.uint8, order="C")
    run_lengths = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 3]
    _, data = cv2.imencode(".png", grey, run_lengths)
    return data.tobytes()


def decode_png(data: bytes) -> NDArray[np.bool_]:
    """The mask of a picture: (H, W) bool, true where it is lighter than mid-grey.

    Raises:
        ValueError: the bytes are not a picture.
    """
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if grey is None:
        raise ValueError(f"{len(data)} bytes are not a PNG mask")
    return grey > 127
