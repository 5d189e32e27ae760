"""Instance masks of a COCO JSON file: polygons and both forms of run lengths."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools import mask as pycoco

from suresam.datasets.dataset import Example, Mask
from suresam.datasets.lazy_masks import LazyMasks
from suresam.datasets.pictures import read_picture
from suresam.domain import Rle
from suresam.errors import ConfigurationError
from suresam.masks.rle import decode_rle

_LEAST_POLYGON = 6
"""Numbers in a polygon of three corners."""


@dataclass(frozen=True, slots=True)
class _Picture:
    image_id: str
    path: Path
    segmentations: tuple[tuple[Any, Any], ...]
    """Every annotation's id and its `segmentation` as the JSON has it."""
    size: tuple[Any, Any]
    """Height and width in pixels that the JSON gives the picture, None where it gives none."""


@dataclass(frozen=True, slots=True)
class Coco:
    """The pictures of a COCO file that have at least one instance mask.

    Crowds (`iscrowd`) and boxes without a mask are left out. Masks are decoded when the picture
    is read; those without a pixel are left out then.

    Attributes:
        file: the JSON.
        pictures: what it says of every picture, in its order.
    """

    file: Path
    pictures: tuple[_Picture, ...]

    @property
    def name(self) -> str:
        """The JSON file's name."""
        return self.file.name

    @property
    def image_ids(self) -> Sequence[str]:
        """The `file_name` of every picture."""
        return [picture.image_id for picture in self.pictures]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Example:
        """Read a picture; its masks are run lengths until they are asked for."""
        picture = self.pictures[index]
        image = read_picture(picture.path)
        height, width = image.shape[:2]
        rles = []
        for annotation, segmentation in picture.segmentations:
            place = f"{self.file}: annotation {annotation} of {picture.image_id}"
            if isinstance(segmentation, list):  # run lengths have a size of their own
                given = zip(picture.size, (height, width), strict=True)
                _require_size(tuple(a or b for a, b in given), height, width, place)
            rle = _rle(segmentation, height, width, place)
            if _decoded(rle, place).any():
                rles.append(rle)
        return Example(picture.image_id, image, LazyMasks(len(rles), lambda i: decode_rle(rles[i])))


def open_coco(file: Path, images: Path | None = None) -> Coco:
    """List the pictures of a COCO instance file.

    Args:
        file: the JSON.
        images: the folder of the pictures; by default a `file_name` is looked up beside the
            JSON and then in `images/` beside it.

    Raises:
        ConfigurationError: not COCO, a picture is missing, or there is no mask at all.
    """
    content = _read(file)
    segmentations: dict[Any, list[tuple[Any, Any]]] = defaultdict(list)
    for annotation in content["annotations"]:
        if annotation.get("segmentation") and not annotation.get("iscrowd"):
            segmentations[annotation.get("image_id")].append(
                (annotation.get("id"), annotation["segmentation"])
            )
    folders = (file.parent, file.parent / "images") if images is None else (images,)
    pictures = []
    for entry in content["images"]:
        marked = segmentations.get(entry.get("id"))
        if not marked:
            continue
        name = entry.get("file_name")
        if not isinstance(name, str):
            raise ConfigurationError(f"{file}: image {entry.get('id')} has no file_name")
        size = (entry.get("height"), entry.get("width"))
        pictures.append(_Picture(name, _find(name, folders, file), tuple(marked), size))
    if not pictures:
        raise ConfigurationError(
            f"{file} has no masks: of {len(content['annotations'])} annotations none has a "
            f"segmentation (crowds aside) and belongs to one of {len(content['images'])} images"
        )
    return Coco(file, tuple(pictures))


def _read(file: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from error
    for key in ("images", "annotations"):
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise ConfigurationError(f"{file} is not COCO JSON: it needs a list {key!r} of objects")
    found: dict[str, list[dict[str, Any]]] = content
    return found


def _find(name: str, folders: Sequence[Path], file: Path) -> Path:
    for folder in folders:
        if (path := folder / name).is_file():
            return path
    where = " or ".join(str(folder) for folder in folders)
    raise ConfigurationError(
        f"{file}: no picture {name} in {where}; `--images DIR` names another folder"
    )


def _rle(segmentation: Any, height: int, width: int, place: str) -> Rle:
    """Compressed run lengths of one annotation, on a picture of that size.

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
    _require_size(size, height, width, place)
    if isinstance(counts, list):
        if not all(isinstance(run, int) and run >= 0 for run in counts):
            raise ConfigurationError(f"{place}: run lengths must be whole numbers, at least 0")
        runs = pycoco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        counts = runs["counts"].decode("ascii")
    return Rle((height, width), counts)


def _require_size(size: Any, height: int, width: int, place: str) -> None:
    if not isinstance(size, list | tuple) or list(size) != [height, width]:
        given = f"{size[1]} x {size[0]}" if _is_pair(size) else str(size)
        raise ConfigurationError(
            f"{place}: it is for a picture of {given} pixels, the picture as displayed (EXIF "
            f"orientation applied) has {width} x {height}"
        )


def _is_pair(size: Any) -> bool:
    return isinstance(size, list | tuple) and len(size) == 2


def _is_polygon(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= _LEAST_POLYGON
        and len(value) % 2 == 0
        and all(isinstance(number, int | float) for number in value)
    )


def _decoded(rle: Rle, place: str) -> Mask:
    try:
        return decode_rle(rle)
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}") from error
