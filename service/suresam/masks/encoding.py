"""A mask in the form that a request asked for, with its area and bounding box."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.domain import OutputRequest, Rle
from suresam.masks.png import encode_png
from suresam.masks.polygons import Polygon, encode_polygons
from suresam.masks.regions import remove_small_regions
from suresam.masks.rle import encode_rle


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


def encode_mask(mask: NDArray[np.bool_], output: OutputRequest) -> EncodedMask:
    """Clean a mask and encode it.

    Args:
        mask: (H, W) bool, H and W at least 1; may be empty of pixels. Not changed.
        output: the form, and the area below which regions are dropped and holes filled.
    """
    mask = remove_small_regions(mask, output.min_region_area)
    # Masks come with columns contiguous: their transpose is read where it lies.
    y, x, height, width = cv2.boundingRect(mask.T.view(np.uint8))
    return EncodedMask(
        area=int(np.count_nonzero(mask)),
        bbox=(x, y, width, height),
        rle=encode_rle(mask) if output.masks == "rle" else None,
        png=encode_png(mask) if output.masks == "png" else None,
        polygons=encode_polygons(mask) if output.masks == "polygon" else None,
    )
