"""SA-V: which splits a folder has, and which of its two forms each of them takes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from suresam.datasets.frames import Frames
from suresam.datasets.sav_frames import is_sav_frames, open_sav_frames
from suresam.datasets.sav_videos import is_sav_videos, open_sav_videos
from suresam.datasets.splits import Splits

_SPLITS = ("sav_train", "sav_val", "sav_test")


def sav_splits(folder: Path) -> Splits:
    """The splits of a folder with `sav_train/`, `sav_val/` or `sav_test/`, or one of them.

    A part of the training split, such as `sav_train/sav_000`, counts as a split of its own.
    """
    # First what is in it: videos right in `sav_train/` would make the folder above look like it.
    inner: Splits = {split: opener for split in _SPLITS if (opener := _opener(folder / split))}
    opener = _opener(folder)
    return inner or ({folder.resolve().name: opener} if opener else {})


def _opener(folder: Path) -> Callable[[], Frames] | None:
    if is_sav_frames(folder):
        return partial(open_sav_frames, folder)
    if is_sav_videos(folder):
        return partial(open_sav_videos, folder)
    return None
