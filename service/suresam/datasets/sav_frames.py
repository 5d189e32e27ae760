"""SA-V's validation and test splits: extracted frames, a PNG for every object of a frame."""

from functools import partial
from pathlib import Path

from suresam.datasets.dataset import Example
from suresam.datasets.frames import Frames
from suresam.datasets.label_maps import UNLABELLED, read_labels, require_same_size
from suresam.datasets.lazy_masks import rle_masks
from suresam.datasets.listing import (
    MASK,
    PICTURE,
    listed_names,
    require_pictures,
    stems,
    subfolders,
    two_part_name,
)
from suresam.datasets.pictures import read_picture
from suresam.errors import ConfigurationError
from suresam.masks.rle import encode_rle

_PICTURES, _MAPS = "JPEGImages_24fps", "Annotations_6fps"


def is_sav_frames(folder: Path) -> bool:
    """Whether a folder has both of the folders that such a split needs."""
    return (folder / _PICTURES).is_dir() and (folder / _MAPS).is_dir()


def open_sav_frames(folder: Path) -> Frames:
    """List `Annotations_6fps/VIDEO/OBJECT/FRAME.png`, by video and frame.

    FRAME counts the frames `JPEGImages_24fps/VIDEO/FRAME.jpg`. Objects may overlap. The videos
    are those of `SPLIT.txt` in the folder SPLIT or beside it, else all.

    Raises:
        ConfigurationError: a folder is missing, a mask has no frame, or there is no mask.
    """
    pictures, maps = folder / _PICTURES, folder / _MAPS
    name = folder.resolve().name
    lists = [file for file in (folder / f"{name}.txt", folder.parent / f"{name}.txt")
             if file.is_file()]  # fmt: skip
    image_ids: list[str] = []
    for video in listed_names(lists[0]) if lists else subfolders(maps):
        frames: set[str] = set()
        for thing in subfolders(maps / video):
            found = stems(maps / video / thing, MASK)
            require_pictures(found, pictures / video, maps / video / thing)
            frames.update(found)
        image_ids += [f"{video}/{frame}" for frame in sorted(frames)]
    if not image_ids:
        raise ConfigurationError(
            f"{folder} has no masks: there is no VIDEO/OBJECT/FRAME{MASK} in {maps}"
        )
    name = two_part_name(folder)
    return Frames(name, tuple(image_ids), partial(_read, pictures, maps))


def _read(pictures: Path, maps: Path, image_id: str) -> Example:
    video, _, frame = image_id.rpartition("/")
    picture = pictures / f"{image_id}{PICTURE}"
    image = read_picture(picture)
    rles = []
    for thing in subfolders(maps / video):
        path = maps / video / thing / f"{frame}{MASK}"
        if not path.exists():
            continue
        labels = read_labels(path)
        require_same_size(path, labels, picture, image)
        mask = labels != UNLABELLED
        if mask.any():  # an object may be hidden
            rles.append(encode_rle(mask))
    return Example(image_id, image, rle_masks(rles))
