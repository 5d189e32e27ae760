"""Instance masks of a COCO JSON file: polygons and both forms of run lengths."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suresam.datasets.dataset import Example
from suresam.datasets.json_file import read_json
from suresam.datasets.lazy_masks import rle_masks
from suresam.datasets.pictures import read_picture
from suresam.datasets.segmentations import is_empty, require_size, segmentation_rle
from suresam.errors import ConfigurationError


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
                require_size(tuple(a or b for a, b in given), height, width, place)
            rle = segmentation_rle(segmentation, height, width, place)
            if not is_empty(rle, place):
                rles.append(rle)
        return Example(picture.image_id, image, rle_masks(rles))


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
    content = read_json(file)
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
