"""Pixels of any of Pillow's modes as RGB, band by band, so that no second picture is in memory."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from suresam.segmentation.orientation import TURNED_BY_A_QUARTER

_BAND_PIXELS = 2**18
"""What of a picture is converted at a time: it stays in the processor's cache."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LAST_ROW_FIRST = (3, 4, 6, 7)


def rgb_pixels(image: Image.Image, orientation: int) -> NDArray[np.uint8]:
    """The pixels of an image that is loaded, upright.

    Args:
        image: in any mode but F.
        orientation: as EXIF counts, 1 to 8; others are taken for 1.

    Returns:
        RGB uint8 (H, W, 3), C-contiguous.
    """
    width, height = image.size
    is_turned = orientation in TURNED_BY_A_QUARTER
    pixels = np.empty((width, height, 3) if is_turned else (height, width, 3), np.uint8)
    step = max(1, _BAND_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        band = _to_rgb(image.crop((0, top, width, bottom)))
        if orientation in _TURNS:
            band = band.transpose(_TURNS[orientation])
        if orientation in _LAST_ROW_FIRST:
            begin, end = height - bottom, height - top
        else:
            begin, end = top, bottom
        if is_turned:
            pixels[:, begin:end] = np.asarray(band)
        else:
            pixels[begin:end] = np.asarray(band)
    return pixels


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
    return image if image.mode == "RGB" else image.convert("RGB")
