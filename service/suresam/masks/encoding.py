"""Masks in the form that a request asked for, with their areas and bounding boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from suresam.domain import OutputRequest, Prediction, Rle
from suresam.masks.png import encode_png
from suresam.masks.polygons import Polygon, encode_polygons
from suresam.masks.regions import remove_small_regions
from suresam.masks.runs import run_lengths


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


def encode_masks(prediction: Prediction, output: OutputRequest) -> list[EncodedMask]:
    """Clean the masks of a prediction and encode them.

    Run lengths, area and box come from the packed bits as they are; pixels are unpacked only for
    what needs them.

    Args:
        prediction: with masks, which may be empty of pixels. Not changed.
        output: the form, and the area below which regions are dropped and holes filled.
    """
    assert prediction.mask_bits is not None, "this prediction was asked for without masks"
    size, bits = prediction.size, prediction.mask_bits
    masks: list[NDArray[np.bool_]] = []
    if output.min_region_area > 1 or output.masks in ("png", "polygon"):
        masks = [
            remove_small_regions(prediction.mask(index), output.min_region_area)
            for index in range(len(bits))
        ]
        bits = np.stack([np.packbits(mask.T) for mask in masks])
    shape = (size.height, size.width)
    runs = run_lengths(bits, size.width * size.height)
    rles = coco.frPyObjects([{"size": shape, "counts": lengths} for lengths in runs], *shape)
    areas, boxes = coco.area(rles).tolist(), coco.toBbox(rles).astype(int).tolist()
    return [
        EncodedMask(
            area=areas[index],
            bbox=tuple(boxes[index]),
            rle=Rle(shape, rles[index]["counts"].decode("ascii"))
            if output.masks == "rle"
            else None,
            png=encode_png(masks[index]) if output.masks == "png" else None,
            polygons=encode_polygons(masks[index]) if output.masks == "polygon" else None,
        )
        for index in range(len(bits))
    ]
