"""Uploaded files: checked by their header, known by a keyed digest, not decoded."""

import hashlib
import hmac
import secrets
import time
from functools import partial

from suresam.domain import SessionImage
from suresam.engine.reading_room import ReadingRoom
from suresam.engine.sessions import StoredImage
from suresam.segmentation.images import ImageLimits, read_header


class Uploads:
    """Takes files in.

    Args:
        limits: of an image.
        room: for headers and hashing, off the event loop.
    """

    def __init__(self, limits: ImageLimits, room: ReadingRoom) -> None:
        self._limits = limits
        self._room = room
        self._secret = secrets.token_bytes(32)

    async def open(self, tenant: str, data: bytes, remaining_ms: float) -> StoredImage:
        """A file with its header read and its key made, but no pixel decoded.

        Args:
            tenant: whose it is.
            data: the file.
            remaining_ms: for the whole request; who has least is read first.

        Raises:
            InvalidImage, ImageTooLarge
        """
        deadline = time.monotonic() + remaining_ms / 1000
        work = partial(self._inspect, tenant, data)
        async with self._room.read(tenant, deadline, 0, work) as image:
            return image

    def _inspect(self, tenant: str, data: bytes) -> StoredImage:
        header = read_header(data, self._limits)
        # Keyed, so that no tenant can guess whether another one has an image.
        digest = hmac.new(self._secret, tenant.encode() + b"\0", hashlib.sha256)
        digest.update(data)
        public = SessionImage(
            secrets.token_urlsafe(9), header.size.width, header.size.height, header.warnings
        )
        return StoredImage(public, digest.hexdigest(), data)
