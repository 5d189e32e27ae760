"""Filling a pool from its sources, in parallel processes, so that it can be interrupted."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from suresam.errors import ConfigurationError
from suresam.processes import map_in_processes
from suresam.training.pool import (
    ARRAYS,
    EMPTY,
    POOL_FILE,
    STATUS,
    USABLE,
    WAITING,
    PoolEntry,
    ScenePool,
)

_CHUNK = 10
_NAMED = 5
"""Unreadable pictures that an error names."""


class Source(Protocol):
    """Where entries come from. It travels to other processes, so it is small."""

    def __len__(self) -> int:
        """How many there are at most."""

    @property
    def size(self) -> int:
        """Side of the entries in pixels."""

    @property
    def max_targets(self) -> int:
        """No entry has more targets."""

    def entry(self, index: int) -> PoolEntry | None:
        """Make one entry, None if there is nothing in it to ask for.

        Raises:
            ConfigurationError: what it is made of cannot be read.
        """

    def description(self) -> dict[str, Any]:
        """What tells this source from others, for JSON: a `kind`, and what fixes its entries."""


def fill_pool(
    folder: Path,
    sources: Sequence[Source],
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ScenePool:
    """Make the entries of all sources, or open them if they are there.

    An interrupted pool is gone on with: whatever leaves `progress` by an exception, and even
    the end of the process, loses at most the entries that were being made.

    Args:
        folder: where the files go; made if absent.
        sources: at least one, all of one size; those of one kind side by side.
        workers: processes that make entries; 1 makes them in this one.
        progress: called with the number of entries done so far and of all, also before the
            first one unless there is nothing to do.

    Raises:
        ConfigurationError: the folder holds something else; pictures cannot be read (the rest is
            kept, so that once they are mended it is soon done); or not one is usable.
    """
    total = sum(len(source) for source in sources)
    status = _begun(folder, sources, total)
    problems: list[str] = []
    chunks = _chunks(folder, sources, status)
    done = total - sum(len(rows) for _, _, _, rows in chunks)
    if chunks:
        progress(done, total)
    with closing(map_in_processes(_make, chunks, workers)) as made:
        for chunk, found in zip(chunks, made, strict=True):
            problems += found
            done += len(chunk[3])
            progress(done, total)
    if problems:
        named = "; ".join(problems[:_NAMED])
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise ConfigurationError(f"{len(problems)} of {total} cannot be used: {named}{more}")
    if not (np.load(folder / f"{STATUS}.npy") == USABLE).any():
        raise ConfigurationError(f"none of {total} pictures has a mask that is large enough")
    return ScenePool(folder)


def num_empty(folder: Path) -> int:
    """How many entries of a finished pool were left out because no mask is large enough."""
    return int((np.load(folder / f"{STATUS}.npy") == EMPTY).sum())


def _begun(folder: Path, sources: Sequence[Source], total: int) -> NDArray[np.uint8]:
    """The status of every row; makes the files unless they are there for the same sources."""
    size, max_targets = sources[0].size, max(source.max_targets for source in sources)
    wanted = {
        "size": size,
        "sources": [{"count": len(source), **source.description()} for source in sources],
    }
    marker = folder / POOL_FILE
    if marker.exists():
        found = json.loads(marker.read_text())
        if found != wanted:
            raise ConfigurationError(
                f"{folder} was made of something else ({_told(found)}, now {_told(wanted)}): "
                f"remove it, or choose another --state"
            )
        return np.array(np.load(folder / f"{STATUS}.npy"))
    folder.mkdir(parents=True, exist_ok=True)
    shapes: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "image": (np.uint8, (total, size, size, 3)),
        "leaves": (np.uint8, (total, size, size)),
        "leaf_object": (np.int16, (total, 256)),
        "targets": (np.uint8, (total, max_targets, 32)),
        "levels": (np.int8, (total, max_targets)),
        STATUS: (np.uint8, (total,)),
    }
    for name, (dtype, shape) in shapes.items():
        open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape).flush()
    partial = marker.with_suffix(".partial")
    partial.write_text(json.dumps(wanted))
    partial.replace(marker)
    return np.full(total, WAITING, np.uint8)


def _told(description: dict[str, Any]) -> str:
    """A pool's description in a few words; what is long, such as digests, is cut short."""
    sources = (
        ", ".join(f"{name} {str(value)[:8]}" for name, value in source.items())
        for source in description["sources"]
    )
    return f"{description['size']} px, {'; '.join(sources)}"


_Chunk = tuple[Path, Source, int, list[int]]
"""Folder, source, the row of the source's first entry, and the entries to make."""


def _chunks(folder: Path, sources: Sequence[Source], status: NDArray[np.uint8]) -> list[_Chunk]:
    chunks: list[_Chunk] = []
    first = 0
    for source in sources:
        waiting = np.flatnonzero(status[first : first + len(source)] == WAITING).tolist()
        for start in range(0, len(waiting), _CHUNK):
            chunks.append((folder, source, first, waiting[start : start + _CHUNK]))
        first += len(source)
    return chunks


def _make(chunk: _Chunk) -> list[str]:
    """Make the entries of one chunk and write them; what cannot be read stays waiting."""
    folder, source, first, indices = chunk
    files = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in (*ARRAYS, STATUS)}
    problems = []
    for index in indices:
        row = first + index
        try:
            entry = source.entry(index)
        except ConfigurationError as error:
            problems.append(str(error))
            continue
        if entry is None:
            files[STATUS][row] = EMPTY
            continue
        used = len(entry.levels)
        files["image"][row] = entry.image
        files["leaves"][row] = entry.leaves
        files["leaf_object"][row] = entry.leaf_object
        files["targets"][row, :used] = np.packbits(entry.targets, axis=1)
        files["levels"][row] = -1
        files["levels"][row, :used] = entry.levels
        files[STATUS][row] = USABLE  # last: a row that says so is whole
    return problems
