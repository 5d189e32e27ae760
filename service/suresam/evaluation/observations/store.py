"""Observations on disk, memory-mapped: as many as there is room for, filled picture by picture."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray

from suresam.errors import ConfigurationError
from suresam.uncertainty.agreement import PAIRS

NUM_TOKENS = 4
_MARKER = "observations.json"
_STATUS = "status"


def fields(num_members: int, width: int) -> dict[str, tuple[DTypeLike, tuple[int, ...]]]:
    """Type and shape of a row of every array; M members, T tokens, width C."""
    per_token = (num_members, NUM_TOKENS)
    return {
        "prompt": (np.uint8, ()),
        "share": (np.float32, ()),
        "iou_token": (np.float32, (num_members, width)),
        "mask_tokens": (np.float32, (*per_token, width)),
        "iou": (np.float32, per_token),
        "predicted_iou": (np.float32, per_token),
        "entropy": (np.float32, per_token),
        "area": (np.float32, per_token),
        "agreement": (np.float32, (num_members, len(PAIRS))),
        "single_token": (np.uint8, (num_members,)),
        "dense_iou": (np.float32, per_token),
        "dense_single_token": (np.uint8, (num_members,)),
        "next_click_iou": (np.float32, (num_members, 3)),
        "h_task": (np.float32, (num_members,)),
        "h_prompt": (np.float32, (num_members, 2)),
        "h_model": (np.float32, (2,)),
        "h_all": (np.float32, ()),
    }


class ObservationStore:
    """A folder of arrays with room for `capacity` rows of each of `num_pictures` pictures.

    Every picture has its own place, so that processes can write side by side, and what was
    interrupted goes on. A row that no target took stays out of `read`.

    Args:
        folder: made if absent.
        description: what tells these observations from others, for JSON: the data set, the
            choice of targets, the models' weights.
        num_pictures, capacity: see above.
        num_members, width: of the family and of its tokens.
        origins: of every picture; None where each is of its own.

    Raises:
        ConfigurationError: the folder holds observations of something else.
    """

    def __init__(
        self,
        folder: Path,
        description: Mapping[str, Any],
        num_pictures: int,
        capacity: int,
        num_members: int,
        width: int,
        origins: Sequence[str] | None = None,
    ) -> None:
        self.folder = folder
        self._capacity = capacity
        whose = np.arange(num_pictures)
        if origins is not None:
            _, whose = np.unique(np.array(origins), return_inverse=True)
        self._origin = whose
        self._fields = fields(num_members, width)
        described = {"pictures": num_pictures, "rows": capacity, "width": width, **description}
        wanted = json.loads(json.dumps(described))  # lists for tuples, as in the file
        marker = folder / _MARKER
        if marker.exists():
            found = json.loads(marker.read_text())
            if found != wanted:
                changed = [key for key in wanted if found.get(key) != wanted[key]]
                raise ConfigurationError(
                    f"{folder} holds observations that differ in {', '.join(changed)}: remove it, "
                    f"or choose another folder"
                )
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, (dtype, shape) in self._fields.items():
            rows = num_pictures * capacity
            open_memmap(self._path(name), mode="w+", dtype=dtype, shape=(rows, *shape)).flush()
        # How many rows of a picture are used, plus one; 0 for one that was not asked yet.
        open_memmap(self._path(_STATUS), mode="w+", dtype=np.int32, shape=(num_pictures,)).flush()
        partial = marker.with_suffix(".partial")
        partial.write_text(json.dumps(wanted, indent=2))
        partial.replace(marker)

    def waiting(self) -> list[int]:
        """Pictures that were not asked yet."""
        return [int(i) for i in np.flatnonzero(np.load(self._path(_STATUS)) == 0)]

    def num_rows(self) -> int:
        """Rows that are used so far."""
        return int(self._counts().sum())

    def write(self, picture: int, rows: Mapping[str, NDArray[Any]] | None) -> None:
        """Keep the rows of one picture; None for a picture without a usable target."""
        rows = {} if rows is None else rows
        count = len(rows["prompt"]) if rows else 0
        if count > self._capacity:
            raise ValueError(f"{count} rows of a picture, and room for {self._capacity}")
        start = picture * self._capacity
        for name, values in rows.items():
            array = np.load(self._path(name), mmap_mode="r+")
            array[start : start + count] = values
        status = np.load(self._path(_STATUS), mmap_mode="r+")
        status[picture] = count + 1  # last: what says so is whole

    def read(self, prompt: int | None = None) -> dict[str, NDArray[Any]]:
        """Rows that are used in the order of the pictures, and `picture` (Q,) of each:
        pictures of one origin, which are no independent sample, have the same number.

        Args:
            prompt: only rows of this place in `plan.PROMPTS`; None for all.
        """
        counts = self._counts()
        picture = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(picture)) - np.repeat(counts.cumsum() - counts, counts)
        rows = picture * self._capacity + within
        if prompt is not None:
            is_wanted = np.load(self._path("prompt"), mmap_mode="r")[rows] == prompt
            rows, picture = rows[is_wanted], picture[is_wanted]
        arrays = {name: np.load(self._path(name), mmap_mode="r")[rows] for name in self._fields}
        return arrays | {"picture": self._origin[picture]}

    def _counts(self) -> NDArray[np.int64]:
        """Used rows of every picture."""
        status: NDArray[np.int64] = np.load(self._path(_STATUS)).astype(np.int64)
        return np.maximum(status - 1, 0)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"
