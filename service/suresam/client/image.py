"""What a caller may hand over as an image, as the bytes of an image file."""

import io
import os
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from suresam.errors import InvalidImage

ImageSource = bytes | str | os.PathLike[str] | Image.Image
"""The bytes of an image file, the path of one, or a picture in memory."""

_PNG_MODES = {"1", "L", "LA", "I;16", "P", "RGB", "RGBA"}


def image_bytes(image: ImageSource) -> bytes:
    """The bytes to upload.

    A picture in memory is sent as PNG, pixels as they are: an EXIF orientation that it still
    carries is left behind, so that coordinates refer to the picture at hand.

    Raises:
        InvalidImage: no file can be read at the path.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, Image.Image):
        picture = image if image.mode in _PNG_MODES else image.convert("RGB")
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=1, exif=b"")
        return file.getvalue()
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise InvalidImage(f"cannot read {os.fspath(image)}: {error.strerror}") from error


def all_image_bytes(images: Iterable[ImageSource]) -> tuple[bytes, ...]:
    """The bytes to upload of several images.

    Raises:
        InvalidImage: no file can be read at a path.
    """
    return tuple(image_bytes(image) for image in images)
