"""DAVIS, the 2017 edition, in either resolution."""

from functools import partial
from pathlib import Path

from suresam.datasets.frames import Frames, open_label_map_frames
from suresam.datasets.listing import listed_names
from suresam.datasets.splits import Splits
from suresam.errors import ConfigurationError

_RESOLUTIONS = ("480p", "Full-Resolution")
_PICTURES, _MAPS, _LISTS = "JPEGImages", "Annotations", Path("ImageSets", "2017")


def davis_splits(folder: Path) -> Splits:
    """The splits that `ImageSets/2017/*.txt` lists, one video a line.

    Frames are `JPEGImages/RESOLUTION/VIDEO/FRAME.jpg`, palette maps `Annotations/...png` likewise.
    Where both resolutions are there, splits are named RESOLUTION/SPLIT. Frames and videos without
    a map are left out, which are most of test-dev.

    Raises:
        ConfigurationError: it is DAVIS, but has no list.
    """
    resolutions = [name for name in _RESOLUTIONS if (folder / _MAPS / name).is_dir()]
    if not resolutions:
        return {}
    lists = sorted((folder / _LISTS).glob("*.txt"))
    if not lists:
        raise ConfigurationError(
            f"{folder} is laid out like DAVIS, but {folder / _LISTS} has no SPLIT.txt that lists "
            f"the videos of a split"
        )
    prefixes = {name: f"{name}/" if len(resolutions) > 1 else "" for name in resolutions}
    return {
        f"{prefixes[resolution]}{file.stem}": partial(_open, folder, resolution, file)
        for resolution in resolutions
        for file in lists
    }


def _open(folder: Path, resolution: str, file: Path) -> Frames:
    pictures, maps = folder / _PICTURES / resolution, folder / _MAPS / resolution
    annotated = []
    for video in listed_names(file):
        if (maps / video).is_dir():
            annotated.append(video)
        elif not (pictures / video).is_dir():
            raise ConfigurationError(
                f"{file} lists {video}, but there is neither {pictures / video} nor {maps / video}"
            )
    name = f"{folder.resolve().name}/{resolution}/{file.stem}"
    return open_label_map_frames(name, pictures, maps, annotated, file)
