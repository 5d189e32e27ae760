"""Pictures with exact masks made ready once, in memory-mapped files, for batches to be cut from."""

import json
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suresam.errors import ConfigurationError
from suresam.scenes.scene import SCENES_PER_SEED, TRAINING_SEEDS

POOL_FILE = "pool.json"
"""What a pool's folder holds, as its sources describe it; see `filling`."""

ARRAYS = ("image", "leaves", "leaf_object", "targets", "levels")
STATUS = "status"
"""Names of the files; `status` says of every row whether it is one of the following."""

WAITING, USABLE, EMPTY = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class PoolEntry:
    """A square picture, the surfaces in it and the masks they make up.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        leaves: (S, S) uint8, the smallest labelled surface at every pixel.
        leaf_object: (256,) int16, the object that every leaf belongs to; negative if nobody said,
            and then the leaf may hold many things.
        targets: (T, 256) bool, for every target the leaves that make it up.
        levels: (T,) int8: 0 part of an object, 1 object, 2 group of touching objects.
    """

    image: NDArray[np.uint8]
    leaves: NDArray[np.uint8]
    leaf_object: NDArray[np.int16]
    targets: NDArray[np.bool_]
    levels: NDArray[np.int8]

    def mask(self, target: int) -> NDArray[np.bool_]:
        """The exact visible mask of one target, (S, S) bool."""
        return np.asarray(self.targets[target][self.leaves])


class ScenePool:
    """Scenes and annotated pictures, read from the files that `filling.fill_pool` wrote.

    Args of the constructor: `folder` is a finished pool. Entries are numbered through over all
    its sources, what has no usable mask left out.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        self._image, self._leaves = arrays["image"], arrays["leaves"]
        self._leaf_object, self._targets = arrays["leaf_object"], arrays["targets"]
        self._levels = arrays["levels"]
        is_usable = np.load(folder / f"{STATUS}.npy") == USABLE
        self._rows = np.flatnonzero(is_usable)
        sources = json.loads((folder / POOL_FILE).read_text())["sources"]
        kinds = groupby(sources, key=lambda source: str(source["kind"]))
        ends = np.cumsum([0] + [sum(source["count"] for source in group) for _, group in kinds])
        bounds = [int(bound) for bound in np.searchsorted(self._rows, ends)]
        parts = (range(a, b) for a, b in pairwise(bounds))
        self._parts = [part for part in parts if part]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> int:
        """Side of every picture in pixels."""
        return int(self._image.shape[1])

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of random entries, (count,).

        If there are both, scenes and a user's pictures come equally often: a hundred pictures
        would be lost among thousands of scenes.
        """
        if len(self._parts) == 1:
            return rng.integers(len(self), size=count)
        chosen = [self._parts[kind] for kind in rng.integers(len(self._parts), size=count)]
        return np.array([rng.integers(part.start, part.stop) for part in chosen])

    def entry(self, index: int) -> PoolEntry:
        """One entry; its arrays are the caller's own."""
        row = self._rows[index]
        levels = np.array(self._levels[row])
        is_used = levels >= 0
        targets = np.unpackbits(self._targets[row], axis=1)[is_used].astype(np.bool_)
        return PoolEntry(
            image=np.array(self._image[row]),
            leaves=np.array(self._leaves[row]),
            leaf_object=np.array(self._leaf_object[row]),
            targets=targets,
            levels=levels[is_used],
        )


def training_seed(seed: int) -> int:
    """First scene seed of a run's `--seed`.

    Raises:
        ConfigurationError: if the run's scenes would leave `TRAINING_SEEDS`.
    """
    first = TRAINING_SEEDS.start + seed * SCENES_PER_SEED
    limit = len(TRAINING_SEEDS) // SCENES_PER_SEED
    if not 0 <= seed < limit:
        raise ConfigurationError(f"seed {seed} lies outside 0..{limit - 1}")
    return first
