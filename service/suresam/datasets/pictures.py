"""Reading a data set's pictures exactly as the service reads an upload."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suresam.errors import ConfigurationError, RequestError
from suresam.segmentation.images import ImageLimits, read_pixels

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""File name endings of the formats that the service reads, in lower case."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The pixels of a picture file, EXIF orientation applied, as the service decodes them.

    Returns:
        RGB uint8 (H, W, 3).

    Raises:
        ConfigurationError: missing, damaged or over the service's default limits.
    """
    try:
        return read_pixels(path.read_bytes(), ImageLimits())
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except RequestError as error:
        raise ConfigurationError(f"{path}: {error.message}") from error
