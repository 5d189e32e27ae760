"""Scenes drawn once and kept in memory-mapped files, so that training never waits for them."""

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from suresam.errors import ConfigurationError
from suresam.scenes.scene import SCENES_PER_SEED, TRAINING_SEEDS, Scene, draw_scene
from suresam.scenes.targets import MAX_TARGETS

_CHUNK = 25
_COMPLETE = "complete.json"


class ScenePool:
    """Scenes of consecutive seeds, read from the files that `draw_pool` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._image = np.load(folder / "image.npy", mmap_mode="r")
        self._leaves = np.load(folder / "leaves.npy", mmap_mode="r")
        self._leaf_object = np.load(folder / "leaf_object.npy", mmap_mode="r")
        self._targets = np.load(folder / "targets.npy", mmap_mode="r")
        self._levels = np.load(folder / "levels.npy", mmap_mode="r")

    def __len__(self) -> int:
        return int(self._image.shape[0])

    @property
    def size(self) -> int:
        """Side of every scene in pixels."""
        return int(self._image.shape[1])

    def scene(self, index: int) -> Scene:
        """One scene as it was drawn; its arrays are the caller's own."""
        levels = np.array(self._levels[index])
        is_used = levels >= 0
        targets = np.unpackbits(self._targets[index], axis=1)[is_used].astype(np.bool_)
        return Scene(
            image=np.array(self._image[index]),
            leaves=np.array(self._leaves[index]),
            leaf_object=np.array(self._leaf_object[index]),
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


def draw_pool(
    folder: Path,
    first_seed: int,
    count: int,
    size: int,
    workers: int,
    progress: Callable[[int], None] = lambda done: None,
) -> ScenePool:
    """Draw the scenes `first_seed` to `first_seed + count - 1`, or open them if they are there.

    Args:
        folder: where the files go; made if absent. An unfinished pool is drawn again.
        size: side in pixels.
        workers: processes that draw.
        progress: called with the number of scenes done so far.

    Raises:
        ConfigurationError: if the folder holds a finished pool of other scenes, or `count`
            is outside 1..1,000,000.
    """
    if not 1 <= count <= SCENES_PER_SEED:
        raise ConfigurationError(f"{count} scenes asked for; must be 1..{SCENES_PER_SEED}")
    wanted = {"first_seed": first_seed, "count": count, "size": size}
    marker = folder / _COMPLETE
    if marker.exists():
        found = json.loads(marker.read_text())
        if found != wanted:
            raise ConfigurationError(f"{folder} holds other scenes: {found}, wanted {wanted}")
        return ScenePool(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shapes: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "image": (np.uint8, (count, size, size, 3)),
        "leaves": (np.uint8, (count, size, size)),
        "leaf_object": (np.uint8, (count, 256)),
        "targets": (np.uint8, (count, MAX_TARGETS, 32)),
        "levels": (np.int8, (count, MAX_TARGETS)),
    }
    for name, (dtype, shape) in shapes.items():
        open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape).flush()
    chunks = [(str(folder), first_seed, a, min(a + _CHUNK, count), size)
              for a in range(0, count, _CHUNK)]  # fmt: skip
    if workers <= 1:
        for chunk in chunks:
            _draw_chunk(chunk)
            progress(chunk[3])
    else:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn) as executor:
            for chunk, _ in zip(chunks, executor.map(_draw_chunk, chunks), strict=True):
                progress(chunk[3])
    marker.write_text(json.dumps(wanted))
    return ScenePool(folder)


def _draw_chunk(chunk: tuple[str, int, int, int, int]) -> None:
    cv2.setNumThreads(1)  # the processes share the cores already
    folder, first_seed, start, stop, size = chunk
    files: dict[str, NDArray[np.generic]] = {
        name: np.load(Path(folder) / f"{name}.npy", mmap_mode="r+")
        for name in ("image", "leaves", "leaf_object", "targets", "levels")
    }
    for index in range(start, stop):
        scene = draw_scene(first_seed + index, size)
        used = len(scene.levels)
        files["image"][index] = scene.image
        files["leaves"][index] = scene.leaves
        files["leaf_object"][index] = scene.leaf_object
        files["targets"][index, :used] = np.packbits(scene.targets, axis=1)
        files["levels"][index] = -1
        files["levels"][index, :used] = scene.levels
