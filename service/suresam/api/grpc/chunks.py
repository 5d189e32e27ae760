"""Images that arrive in chunks, held to their limits while they arrive."""

from suresam.errors import ImageTooLarge, InvalidRequest

MAX_CHUNK_BYTES = 2**20


class ChunkedImage:
    """Collects the chunks of one image.

    Args:
        limit_bytes: of the whole image.
        expected_bytes: what the header announced; None if it did not.

    Raises:
        ImageTooLarge: the announcement alone is over the limit.
    """

    def __init__(self, limit_bytes: int, expected_bytes: int | None) -> None:
        self._limit_bytes = limit_bytes
        self._expected_bytes = expected_bytes
        self._data = bytearray()
        self._check_size(expected_bytes or 0)

    def add(self, chunk: bytes) -> None:
        """Take the next chunk.

        Raises:
            InvalidRequest: the chunk is over its limit.
            ImageTooLarge: the image is.
        """
        if len(chunk) > MAX_CHUNK_BYTES:
            raise InvalidRequest(f"a chunk has {len(chunk)} bytes (limit {MAX_CHUNK_BYTES} bytes)")
        self._data += chunk
        self._check_size(len(self._data))

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
        if size_bytes > self._limit_bytes:
            raise ImageTooLarge(
                f"the image has {size_bytes} bytes (limit {self._limit_bytes} bytes)"
            )
