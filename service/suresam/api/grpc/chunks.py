"""Images that arrive in chunks, held to their limits while they arrive."""

import asyncio

from suresam.errors import ImageTooLarge, InvalidRequest
from suresam.segmentation.images import ImageLimits, shows_its_size

MAX_CHUNK_BYTES = 2**20


class ChunkedImage:
    """Collects the chunks of one image.

    Args:
        limits: of the image.
        expected_bytes: what the header announced; None if it did not.

    Raises:
        ImageTooLarge: the announcement alone is over the limit.
    """

    def __init__(self, limits: ImageLimits, expected_bytes: int | None) -> None:
        self._limits = limits
        self._expected_bytes = expected_bytes
        self._data = bytearray()
        self._next_look_bytes: int | None = 1
        self._check_size(expected_bytes or 0)

    async def add(self, chunk: bytes) -> None:
        """Take the next chunk.

        Raises:
            InvalidRequest: the chunk is over its limit.
            ImageTooLarge: the image is, in bytes or by the size that its header tells.
            InvalidImage: its header consists of more pieces than any image needs.
        """
        if len(chunk) > MAX_CHUNK_BYTES:
            raise InvalidRequest(f"a chunk has {len(chunk)} bytes (limit {MAX_CHUNK_BYTES} bytes)")
        self._data += chunk
        self._check_size(len(self._data))
        if self._next_look_bytes is not None and len(self._data) >= self._next_look_bytes:
            is_known = await asyncio.to_thread(shows_its_size, self._data, self._limits)
            # A header behind long metadata is looked for again whenever twice as much is there.
            self._next_look_bytes = None if is_known else 2 * len(self._data)

    def finish(self) -> bytes:
        """The whole image.

        Raises:
            InvalidRequest: there are fewer or more bytes than the header announced.
        """
        if self._expected_bytes is not None and len(self._data) != self._expected_bytes:
            raise InvalidRequest(
                f"the stream ended after {len(self._data)} of {self._expected_bytes} "
                "announced image bytes"
            )
        return bytes(self._data)

    def _check_size(self, size_bytes: int) -> None:
        limit = self._limits.max_bytes
        if size_bytes > limit:
            raise ImageTooLarge(f"the image has {size_bytes} bytes (limit {limit} bytes)")
