"""MOSE: videos of crowded scenes, and whatever else is laid out like it."""

from functools import partial
from pathlib import Path

from suresam.datasets.frames import Frames, open_label_map_frames
from suresam.datasets.listing import subfolders, two_part_name
from suresam.datasets.splits import Splits

_SPLITS = ("train", "valid")
_PICTURES, _MAPS = "JPEGImages", "Annotations"


def mose_splits(folder: Path) -> Splits:
    """The splits of a folder with `SPLIT/JPEGImages/` and `SPLIT/Annotations/`, or one of them.

    Frames are `VIDEO/FRAME.jpg`, palette maps `VIDEO/FRAME.png`; of validation only frame 0 has
    one. Frames without a map are left out. `meta_SPLIT.json` is not needed.
    """
    if _is_split(folder):
        return {folder.resolve().name: partial(_open, folder)}
    return {s: partial(_open, folder / s) for s in _SPLITS if _is_split(folder / s)}


def _is_split(folder: Path) -> bool:
    return (folder / _PICTURES).is_dir() and (folder / _MAPS).is_dir()


def _open(folder: Path) -> Frames:
    name, maps = two_part_name(folder), folder / _MAPS
    return open_label_map_frames(name, folder / _PICTURES, maps, subfolders(maps), folder)
