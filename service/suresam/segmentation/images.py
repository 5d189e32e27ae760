"""Uploaded bytes to RGB pixels: header first, limits before pixels exist, orientation applied."""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from suresam.domain import ImageSize
from suresam.errors import ImageTooLarge, InvalidImage

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""What may be uploaded, as Pillow names it."""

_SIZE_IN_FRONT = ("JPEG", "PNG", "BMP", "GIF")

_SEVERAL_VIEWS = "MPO"
"""Pillow's name for a JPEG with further views of the same photograph, as many cameras write it."""

# Our own limit stands in for Pillow's, which warns at one size and fails at another.
Image.MAX_IMAGE_PIXELS = None

_ORIENTATION_TAG = 0x0112
_TURNED_BY_A_QUARTER = (5, 6, 7, 8)
UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError,
    OverflowError, struct.error, zlib.error, Warning,
)  # fmt: skip
"""What Pillow's decoders are known to raise on damaged files, and its warnings about odd ones
where Python is told to raise those.
"""

_PNG_MAY_BE_TURNED = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
"""Names of the PNG chunks and texts in which an orientation may stand."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds on an upload.

    Attributes:
        max_bytes: of the file.
        max_pixels: width times height.
        max_side: pixels of the longer side.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 50_000_000
    max_side: int = 20_000


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What is known before any pixel is decoded.

    Attributes:
        size: as displayed.
        warnings: what reading the pixels will do to the input.
    """

    size: ImageSize
    warnings: tuple[str, ...]


def read_header(data: bytes, limits: ImageLimits) -> ImageHeader:
    """Check an upload without decoding it.

    Raises:
        InvalidImage: empty, not an image, damaged, or of a format that is not accepted.
        ImageTooLarge: over a limit, in bytes or pixels.
    """
    with _open(data, limits) as image:
        return ImageHeader(_displayed_size(image, data), _warnings(image))


def shows_its_size(beginning: bytes | bytearray, limits: ImageLimits) -> bool:
    """Whether the first bytes of an upload tell how many pixels it has, checked if they do.

    TIFF keeps its header wherever it likes, and Pillow opens a WebP only whole: of those the first
    bytes tell nothing, nor do those of a file that is no image. `read_header` judges them all.

    Raises:
        ImageTooLarge: over a limit in pixels.
    """
    try:
        image = Image.open(io.BytesIO(beginning), formats=_SIZE_IN_FRONT)
    except UNREADABLE:  # more bytes may mend it
        return False
    with image:
        _check_size(image, limits)
    return True


def read_pixels(data: bytes, limits: ImageLimits) -> NDArray[np.uint8]:
    """Decode an upload's first frame.

    Grey and palette images become RGB, 16-bit grey is divided by 257 (of 16-bit colour Pillow
    reads the high byte), CMYK is converted, transparent pixels are placed on white and the EXIF
    orientation is applied.

    Returns:
        RGB uint8 (H, W, 3), C-contiguous.

    Raises:
        InvalidImage, ImageTooLarge: as `read_header`.
    """
    with _open(data, limits) as image:
        return pixels_of(image)


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an image that Pillow opened or made, as `read_pixels` gives them.

    Raises:
        InvalidImage: damaged, empty, or with floating-point samples.
    """
    if image.mode == "F":
        raise InvalidImage("the image has floating-point samples; convert it to 8 or 16 bits")
    if 0 in image.size:
        raise InvalidImage(f"the image has no pixels ({image.width} x {image.height})")
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
        return np.array(_to_rgb(upright))
    except UNREADABLE as error:
        kind = f"{image.format} image" if image.format else "image"
        raise InvalidImage(f"the {kind} is damaged: {error}") from None


def _open(data: bytes, limits: ImageLimits) -> Image.Image:
    if not data:
        raise InvalidImage("the image is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(f"the image has {len(data)} bytes (limit {limits.max_bytes} bytes)")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise InvalidImage(
            f"the {len(data)} bytes are not an image of an accepted format ({', '.join(FORMATS)})"
        ) from None
    except UNREADABLE as error:
        raise InvalidImage(f"the image's header is damaged: {error}") from None
    _check_size(image, limits)
    if image.mode == "F":
        raise InvalidImage("the image has floating-point samples; convert it to 8 or 16 bits")
    return image


def _check_size(image: Image.Image, limits: ImageLimits) -> None:
    width, height = image.size
    if max(width, height) > limits.max_side or width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"the image is {width} x {height} pixels (limits: {limits.max_side} pixels a side, "
            f"{limits.max_pixels} pixels in all)"
        )


def _displayed_size(image: Image.Image, data: bytes) -> ImageSize:
    width, height = image.size
    # Pillow decodes a PNG to look for EXIF behind its pixels; most have none anywhere.
    if image.format == "PNG" and not any(name in data for name in _PNG_MAY_BE_TURNED):
        return ImageSize(width, height)
    try:
        turned = image.getexif().get(_ORIENTATION_TAG) in _TURNED_BY_A_QUARTER
        if isinstance(image, TiffImageFile):  # Pillow turned its size already, by this very tag
            turned = turned and image.tag_v2.get(_ORIENTATION_TAG) not in _TURNED_BY_A_QUARTER
    except UNREADABLE:
        turned = False
    return ImageSize(height, width) if turned else ImageSize(width, height)


def _warnings(image: Image.Image) -> tuple[str, ...]:
    warnings = []
    try:
        # Not `n_frames`: counting walks through all of them.
        has_several = getattr(image, "is_animated", False)
    except UNREADABLE:
        has_several = False
    if has_several and image.format != _SEVERAL_VIEWS:
        warnings.append(f"the {image.format} image has several frames; the first was used")
    if image.has_transparency_data:
        warnings.append("transparent pixels were placed on white")
    return tuple(warnings)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 or 32 bits a sample: what cameras and scanners mean by 16
        samples = np.clip(np.asarray(image, dtype=np.int64), 0, 65535)
        grey = (samples // 257).astype(np.uint8)
        if image.has_transparency_data:
            grey[samples == image.info["transparency"]] = 255
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")
