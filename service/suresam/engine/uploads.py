"""Uploaded files: checked by their header, known by a keyed digest, decoded only when needed."""

import asyncio
import hashlib
import hmac
import secrets
import time
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from suresam.domain import SessionImage
from suresam.engine.sessions import StoredImage
from suresam.segmentation.images import ImageLimits, read_header, read_pixels


class Uploads:
    """Takes files in.

    Args:
        limits: of an image.
        pool: for hashing and decoding, off the event loop.
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

    def pixels(self, data: bytes) -> "PixelLoader":
        """Will decode a file when called."""
        return PixelLoader(data, self._limits, self._pool)

    def _inspect(self, tenant: str, data: bytes) -> StoredImage:
        header = read_header(data, self._limits)
        # Keyed, so that no tenant can guess whether another one has an image.
        digest = hmac.new(self._secret, tenant.encode() + b"\0", hashlib.sha256)
        digest.update(data)
        public = SessionImage(
            secrets.token_urlsafe(9), header.size.width, header.size.height, header.warnings
        )
        return StoredImage(public, digest.hexdigest(), data)


class PixelLoader:
    """Decodes one upload in the pool, when asked to, and remembers how long that took.

    Attributes:
        spent_ms: milliseconds, 0 if it was not asked.
    """

    def __init__(self, data: bytes, limits: ImageLimits, pool: Executor) -> None:
        self._data = data
        self._limits = limits
        self._pool = pool
        self.spent_ms = 0.0

    async def __call__(self) -> NDArray[np.uint8]:
        """RGB uint8 (H, W, 3)."""
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        pixels = await loop.run_in_executor(self._pool, read_pixels, self._data, self._limits)
        self.spent_ms = (time.monotonic() - started) * 1000
        return pixels
