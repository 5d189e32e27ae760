"""ADE20K as the scene parsing challenge of 2016 hands it out (`ADEChallengeData2016`)."""

from functools import partial
from pathlib import Path

from suresam.datasets.label_maps import LabelMaps
from suresam.datasets.listing import MASK, PICTURE, mapped_pictures
from suresam.datasets.splits import Splits
from suresam.errors import ConfigurationError

_SPLITS = ("training", "validation")
_PICTURES, _MAPS = "images", "annotations"


def ade20k_splits(folder: Path) -> Splits:
    """The splits of a folder with `images/SPLIT/ID.jpg` and `annotations/SPLIT/ID.png`.

    Each class of a picture is one mask, however many things of it there are; class 0 ("other") is
    unlabelled.
    """
    return {s: partial(_open, folder, s) for s in _SPLITS if (folder / _MAPS / s).is_dir()}


def _open(folder: Path, split: str) -> LabelMaps:
    pictures, maps = folder / _PICTURES / split, folder / _MAPS / split
    names = mapped_pictures(pictures, maps)
    if not names:
        raise ConfigurationError(f"{folder}:{split} has no masks: there is no ID{MASK} in {maps}")
    return LabelMaps(
        f"{folder.resolve().name}/{split}",
        tuple((name, pictures / f"{name}{PICTURE}", maps / f"{name}{MASK}") for name in names),
    )
