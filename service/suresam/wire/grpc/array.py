"""The message of an (h, w) float16 array."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.pb import segmentation_pb2 as pb
from suresam.wire import float16


def array_to_proto(values: NDArray[np.floating[Any]]) -> pb.Float16Array:
    """Write an (h, w) array."""
    height, width = values.shape
    return pb.Float16Array(height=height, width=width, data=float16.to_bytes(values))


def array_from_proto(message: pb.Float16Array) -> NDArray[np.float16]:
    """Read an (h, w) array.

    Raises:
        ValueError: shape and data do not fit.
    """
    return float16.from_bytes(message.data, (message.height, message.width))
