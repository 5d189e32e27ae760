"""Data sets that come as one folder with several splits, known by its layout."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from suresam.datasets.dataset import Dataset
from suresam.errors import ConfigurationError

Splits = dict[str, Callable[[], Dataset]]
"""By its name how to open each split; empty if a folder has another layout."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder whose layout is known.

    Attributes:
        title: of the data set, such as "DAVIS 2017".
        folder: where it is.
        splits: at least one.
    """

    title: str
    folder: Path
    splits: Splits

    @property
    def choices(self) -> str:
        """What a user can write to name a split."""
        return " or ".join(f"{self.folder}:{split}" for split in self.splits)

    def open(self, split: str | None) -> Dataset:
        """Open a split, or the only one.

        Raises:
            ConfigurationError: there is no such split, none is named of several, or it cannot be
                read.
        """
        if split is None:
            if len(self.splits) > 1:
                raise ConfigurationError(
                    f"{self.folder} ({self.title}) has several splits; choose {self.choices}"
                )
            [split] = self.splits
        if split not in self.splits:
            raise ConfigurationError(
                f"{self.folder} ({self.title}) has no split {split!r}; choose {self.choices}"
            )
        return self.splits[split]()
