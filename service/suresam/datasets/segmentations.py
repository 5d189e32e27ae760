"""One `segmentation` as COCO's JSON has it: polygons, or run lengths in either form."""

from typing import Any

from pycocotools import mask as pycoco

from suresam.domain import Rle
from suresam.errors import ConfigurationError
from suresam.masks.rle import decode_rle

_LEAST_POLYGON = 6
"""Numbers in a polygon of three corners."""


def segmentation_rle(segmentation: Any, height: int, width: int, place: str) -> Rle:
    """Compressed run lengths of one annotation, on a picture of that size.

    Args:
        segmentation: from JSON: a list of polygons, or an object with `size` and `counts`.
        height, width: of the picture in pixels.
        place: what messages call the annotation.

    Raises:
        ConfigurationError: another form, or another picture's size.
    """
    if isinstance(segmentation, list):
        for polygon in segmentation:
            # pycocotools would take four numbers for a box.
            if not _is_polygon(polygon):
                raise ConfigurationError(
                    f"{place}: a polygon needs an even number of coordinates, at least "
                    f"{_LEAST_POLYGON}"
                )
        runs = pycoco.merge(pycoco.frPyObjects(segmentation, height, width))
        return Rle((height, width), runs["counts"].decode("ascii"))
    size = segmentation.get("size") if isinstance(segmentation, dict) else None
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else None
    if size is None or not isinstance(counts, list | str):
        raise ConfigurationError(f"{place}: the segmentation is neither polygons nor run lengths")
    require_size(size, height, width, place)
    if isinstance(counts, list):
        if not all(isinstance(run, int) and run >= 0 for run in counts):
            raise ConfigurationError(f"{place}: run lengths must be whole numbers, at least 0")
        runs = pycoco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        counts = runs["counts"].decode("ascii")
    return Rle((height, width), counts)


def require_size(size: Any, height: int, width: int, place: str) -> None:
    """Check the height and width that an annotation is for.

    Raises:
        ConfigurationError: they are not the picture's.
    """
    if not isinstance(size, list | tuple) or list(size) != [height, width]:
        given = f"{size[1]} x {size[0]}" if _is_pair(size) else str(size)
        raise ConfigurationError(
            f"{place}: it is for a picture of {given} pixels, the picture as displayed (EXIF "
            f"orientation applied) has {width} x {height}"
        )


def is_empty(rle: Rle, place: str) -> bool:
    """Whether run lengths mark no pixel.

    Raises:
        ConfigurationError: they are damaged, or do not fill their picture.
    """
    try:
        return not decode_rle(rle).any()
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}") from error


def _is_pair(size: Any) -> bool:
    return isinstance(size, list | tuple) and len(size) == 2


def _is_polygon(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= _LEAST_POLYGON
        and len(value) % 2 == 0
        and all(isinstance(number, int | float) for number in value)
    )
