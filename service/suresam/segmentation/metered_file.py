"""An upload as a decoder reads it, who is stopped when it does more than such a file needs."""

import io
import time

_MOST_READINGS = 4
"""How often all of the file may be read: the header, the pixels, and what is looked up between."""

_SPARE_BYTES = 2**20
_SPARE_READS = 50_000
_BYTES_A_READ = 100
"""A file may be read in pieces of so many bytes in the mean, and so many pieces may be tiny."""


class TooMuchWork(OSError):
    """The file would take more time or memory than any ordinary one of its size."""


class MeteredFile(io.BytesIO):
    """A file in memory. Decoders that loop in Python, or decode block by block, end in its `read`.

    Pillow reads headers, and the blocks of all formats but WebP and compressed TIFF, through it.

    Args:
        data: the file.
        max_cpu_s: seconds that the thread which reads may compute from now on.
    """

    def __init__(self, data: bytes, max_cpu_s: float) -> None:
        super().__init__(data)
        self._max_cpu_s = max_cpu_s
        self._end_s = time.thread_time() + max_cpu_s
        self._bytes_left = _MOST_READINGS * len(data) + _SPARE_BYTES
        self._reads_left = len(data) // _BYTES_A_READ + _SPARE_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on.

        Raises:
            TooMuchWork: in bytes, in pieces or in time.
        """
        found = super().read(size)
        self._bytes_left -= len(found)
        self._reads_left -= 1
        if self._bytes_left < 0:
            raise TooMuchWork("it means the same bytes over and over")
        if self._reads_left < 0:
            raise TooMuchWork("it consists of too many tiny pieces")
        if time.thread_time() > self._end_s:
            raise TooMuchWork(f"it takes over {self._max_cpu_s:g} s to read")
        return found
