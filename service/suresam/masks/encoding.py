"""A mask in the form that a request asked for, with its area and bounding box."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.domain import OutputRequest, Prediction, Rle
from suresam.masks.png import encode_png
from suresam.masks.polygons import Polygon, encode_polygons
from suresam.masks.regions import remove_small_regions
from suresam.masks.runs import packed_runs


@dataclass(frozen=True, slots=True, eq=False)
class EncodedMask:
    """What an answer says of a mask's pixels.

    Attributes:
        area: pixels.
        bbox: x, y, width, height in pixels; zeros for an empty mask.
        rle, png, polygons: at most one of them.
    """

    area: int
    bbox: tuple[int, int, int, int]
    rle: Rle | None = None
    png: bytes | None = None
    polygons: tuple[Polygon, ...] | None = None


def encode_mask(prediction: Prediction, index: int, output: OutputRequest) -> EncodedMask:
    """Clean one mask of a prediction and encode it.

    Run lengths, area and box come from the packed bits as they are; pixels are unpacked only for
    what needs them.

    Args:
        prediction: with masks, which may be empty of pixels. Not changed.
        index: of the mask.
        output: the form, and the area below which regions are dropped and holes filled.
    """
    assert prediction.mask_bits is not None, "this prediction was asked for without masks"
    size, bits = prediction.size, prediction.mask_bits[index]
    mask: NDArray[np.bool_] | None = None
    if output.min_region_area > 1 or output.masks in ("png", "polygon"):
        mask = remove_small_regions(prediction.mask(index), output.min_region_area)
        bits = np.packbits(mask.T)
    runs = packed_runs(bits, size.height, size.width)
    return EncodedMask(
        area=runs.area,
        bbox=runs.bbox,
        rle=runs.rle() if output.masks == "rle" else None,
        png=encode_png(mask) if output.masks == "png" and mask is not None else None,
        polygons=encode_polygons(mask) if output.masks == "polygon" and mask is not None else None,
    )
