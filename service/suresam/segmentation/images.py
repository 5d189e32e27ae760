"""Uploaded bytes to RGB pixels: header first, limits before pixels exist, orientation applied."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from suresam.domain import ImageSize
from suresam.errors import ImageTooLarge, InvalidImage
from suresam.segmentation import bare_jpeg, bare_png
from suresam.segmentation.bare import BareFile
from suresam.segmentation.metered_file import MeteredFile
from suresam.segmentation.orientation import (
    TAG,
    TURNED_BY_A_QUARTER,
    UPRIGHT,
    from_exif,
    from_xmp,
)
from suresam.segmentation.rgb import rgb_pixels
from suresam.segmentation.tiff_structure import COMPRESSIONS, check_tiff

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""What may be uploaded, as Pillow names it."""

_SIZE_IN_FRONT = ("JPEG", "PNG", "BMP", "GIF")

_TIFF = (b"II", b"MM")

# Our own limit stands in for Pillow's, which warns at one size and fails at another.
Image.MAX_IMAGE_PIXELS = None

UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError,
    AssertionError, AttributeError, struct.error, zlib.error, Warning,
)  # fmt: skip
"""What Pillow's decoders are known to raise on damaged files, and its warnings about odd ones
where Python is told to raise those.
"""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds on an upload.

    Attributes:
        max_bytes: of the file.
        max_pixels: width times height.
        max_side: pixels of the longer side.
        max_cpu_s: seconds that one processor may compute on its header, and again on its pixels.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 50_000_000
    max_side: int = 20_000
    max_cpu_s: float = 10.0


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
        InvalidImage: empty, not an image, damaged, of a format that is not accepted, or built so
            that it takes more work than its size tells.
        ImageTooLarge: over a limit, in bytes or pixels.
    """
    bare = _bare(data, limits)
    with _open(bare.data, limits) as image:
        return ImageHeader(_displayed_size(image, bare), _warnings(image, bare))


def shows_its_size(beginning: bytes | bytearray, limits: ImageLimits) -> bool:
    """Whether the first bytes of an upload tell how many pixels it has, checked if they do.

    TIFF keeps its header wherever it likes, and Pillow opens a WebP only whole: of those the first
    bytes tell nothing, nor do those of a file that is no image. `read_header` judges them all.

    Raises:
        ImageTooLarge: over a limit in pixels.
        InvalidImage: it consists of more pieces than any image needs.
    """
    bare = _without_metadata(bytes(beginning)).data
    try:
        image = Image.open(MeteredFile(bare, limits.max_cpu_s), formats=_SIZE_IN_FRONT)
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
    bare = _bare(data, limits)
    with _open(bare.data, limits) as image:
        return pixels_of(image, _orientation(image, bare))


def pixels_of(image: Image.Image, orientation: int | None = None) -> NDArray[np.uint8]:
    """The pixels of an image that Pillow opened or made, as `read_pixels` gives them.

    Args:
        image: in any mode.
        orientation: 1 to 8, to be undone; None is what its EXIF tells.

    Raises:
        InvalidImage: damaged, empty, or with floating-point samples.
    """
    if image.mode == "F":
        raise InvalidImage("the image has floating-point samples; convert it to 8 or 16 bits")
    if 0 in image.size:
        raise InvalidImage(f"the image has no pixels ({image.width} x {image.height})")
    try:
        image.load()
        if orientation is None:
            orientation = image.getexif().get(TAG, UPRIGHT)
        return rgb_pixels(image, orientation)
    except UNREADABLE as error:
        kind = f"{image.format} image" if image.format else "image"
        raise InvalidImage(f"the {kind} is damaged: {error}") from None


def _bare(data: bytes, limits: ImageLimits) -> BareFile:
    if not data:
        raise InvalidImage("the image is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(f"the image has {len(data)} bytes (limit {limits.max_bytes} bytes)")
    if data.startswith(_TIFF):
        check_tiff(data)
    return _without_metadata(data)


def _without_metadata(data: bytes) -> BareFile:
    if data.startswith(bare_jpeg.MAGIC):
        return bare_jpeg.bare_jpeg(data)
    if data.startswith(bare_png.MAGIC):
        return bare_png.bare_png(data)
    return BareFile(data)


def _open(data: bytes, limits: ImageLimits) -> Image.Image:
    try:
        image = Image.open(MeteredFile(data, limits.max_cpu_s), formats=FORMATS)
    except UnidentifiedImageError:
        raise InvalidImage(
            f"the {len(data)} bytes are not an image of an accepted format ({', '.join(FORMATS)})"
        ) from None
    except UNREADABLE as error:
        raise InvalidImage(f"the image's header is damaged: {error}") from None
    _check_size(image, limits)
    if image.mode == "F":
        raise InvalidImage("the image has floating-point samples; convert it to 8 or 16 bits")
    if image.mode == "P" and image.palette is None:
        raise InvalidImage(f"the {image.format} image is damaged: its palette is missing")
    compression = image.info.get("compression")
    if isinstance(image, TiffImageFile) and compression not in COMPRESSIONS:
        raise InvalidImage(
            f"the TIFF is compressed by {compression} (accepted: {', '.join(COMPRESSIONS)})"
        )
    return image


def _check_size(image: Image.Image, limits: ImageLimits) -> None:
    width, height = image.size
    if max(width, height) > limits.max_side or width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"the image is {width} x {height} pixels (limits: {limits.max_side} pixels a side, "
            f"{limits.max_pixels} pixels in all)"
        )


def _orientation(image: Image.Image, bare: BareFile) -> int:
    """What is still to be undone when the pixels are there."""
    if isinstance(image, TiffImageFile):  # Pillow does
        return UPRIGHT
    if image.format == "WEBP":
        told = from_exif(image.info.get("exif", b"")) or from_xmp(image.info.get("xmp", b""))
        return told or UPRIGHT
    return bare.orientation or UPRIGHT


def _displayed_size(image: Image.Image, bare: BareFile) -> ImageSize:
    width, height = image.size
    if isinstance(image, TiffImageFile):
        # Pillow turned its size already if this very tag said so, but not if XMP does.
        try:
            told = image.getexif().get(TAG)
        except UNREADABLE:
            told = None
        is_turned = told in TURNED_BY_A_QUARTER
        is_turned = is_turned and image.tag_v2.get(TAG) not in TURNED_BY_A_QUARTER
    else:
        is_turned = _orientation(image, bare) in TURNED_BY_A_QUARTER
    return ImageSize(height, width) if is_turned else ImageSize(width, height)


def _warnings(image: Image.Image, bare: BareFile) -> tuple[str, ...]:
    warnings = []
    try:
        # Not `n_frames`: counting walks through all of them.
        has_several = bare.is_animated or getattr(image, "is_animated", False)
    except UNREADABLE:
        has_several = False
    if has_several:
        warnings.append(f"the {image.format} image has several frames; the first was used")
    if image.has_transparency_data:
        warnings.append("transparent pixels were placed on white")
    return tuple(warnings)
