"""Which published data set a folder holds, by its layout."""

from collections.abc import Callable
from pathlib import Path

from suresam.datasets.ade20k import ade20k_splits
from suresam.datasets.davis import davis_splits
from suresam.datasets.mose import mose_splits
from suresam.datasets.sav import sav_splits
from suresam.datasets.splits import Collection, Splits

# DAVIS before MOSE: its folder has the two folders that a split of MOSE has, with one more level.
_LAYOUTS: dict[str, Callable[[Path], Splits]] = {
    "ADE20K": ade20k_splits,
    "DAVIS 2017": davis_splits,
    "MOSE": mose_splits,
    "SA-V": sav_splits,
}

TITLES = tuple(_LAYOUTS)
"""The data sets that are known."""


def recognise(folder: Path) -> Collection | None:
    """The data set in a folder, None if it is not one of `TITLES`.

    Raises:
        ConfigurationError: it is one, but a part is missing without which no split is known.
    """
    for title, splits_of in _LAYOUTS.items():
        if splits := splits_of(folder):
            return Collection(title, folder, splits)
    return None
