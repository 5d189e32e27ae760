"""Masks of a picture, made one at a time: a hundred of a large photograph would fill memory."""

from collections.abc import Callable, Sequence
from typing import overload

from suresam.datasets.dataset import Mask
from suresam.domain import Rle
from suresam.masks.rle import decode_rle


class LazyMasks(Sequence[Mask]):
    """A sequence of masks that calls `make` whenever one is asked for.

    Args:
        count: how many there are.
        make: gives the mask of an index in [0, count).
    """

    def __init__(self, count: int, make: Callable[[int], Mask]) -> None:
        self._indices = range(count)
        self._make = make

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Mask: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mask]: ...
    def __getitem__(self, index: int | slice) -> Mask | Sequence[Mask]:
        if isinstance(index, slice):
            chosen = self._indices[index]
            return LazyMasks(len(chosen), lambda i: self._make(chosen[i]))
        return self._make(self._indices[index])


def rle_masks(rles: Sequence[Rle]) -> LazyMasks:
    """Masks that are kept as run lengths, which are sound."""
    return LazyMasks(len(rles), lambda i: decode_rle(rles[i]))
