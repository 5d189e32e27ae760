"""Uploaded files: checked by their header, known by a keyed digest, not decoded."""

import asyncio
import hashlib
import hmac
import secrets
from concurrent.futures import Executor

from suresam.domain import SessionImage
from suresam.engine.sessions import StoredImage
from suresam.segmentation.images import ImageLimits, read_header


class Uploads:
    """Takes files in.

    Args:
        limits: of an image.
        pool: for hashing, off the event loop.
    """

    def __init__(self, limits: ImageLimits, pool: Executor) -> None:
        self._limits = limits
        self._pool = pool
        self._secret = secrets.token_bytes(32)

    async def open(self, tenant: str, data: bytes) -> StoredImage:
        """A file with its header read and its key made, but no pixel decoded.

        Raises:
            InvalidImage, ImageTooLarge
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._inspect, tenant, data)

    def _inspect(self, tenant: str, data: bytes) -> StoredImage:
        header = read_header(data, self._limits)
        # Keyed, so that no tenant can guess whether another one has an image.
        digest = hmac.new(self._secret, tenant.encode() + b"\0", hashlib.sha256)
        digest.update(data)
        public = SessionImage(
            secrets.token_urlsafe(9), header.size.width, header.size.height, header.warnings
        )
        return StoredImage(public, digest.hexdigest(), data)
