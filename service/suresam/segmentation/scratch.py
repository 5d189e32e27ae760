"""Memory that a thread uses again and again."""

import threading
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S", bound=np.generic)

_KEPT_BYTES = 32 * 2**20


class Scratch(threading.local):
    """An array for each thread, since fresh memory costs more than what is done with it.

    An array of a megabyte comes from the operating system page by page at its first touch. Over
    32 MiB nothing is kept.
    """

    def __init__(self) -> None:
        self._kept = np.empty(0, np.uint8)

    def take(self, shape: tuple[int, ...], dtype: type[S]) -> NDArray[S]:
        """An array with anything in it, which the thread's next call makes anew."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size > _KEPT_BYTES:
            return np.empty(shape, dtype)
        if size > self._kept.nbytes:
            self._kept = np.empty(size, np.uint8)
        return self._kept[:size].view(dtype).reshape(shape)
