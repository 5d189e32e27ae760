"""Pixels of an uploaded file, decoded only when somebody needs them."""

import asyncio
import time
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from suresam.segmentation.images import ImageLimits, read_pixels
from suresam.telemetry import Telemetry


class PixelLoader:
    """Decodes one upload in the pool, when asked to, and remembers how long that took.

    Args:
        data: the file, or None where it did not come along.
        limits: of an image.
        pool: for decoding, off the event loop.
        telemetry: is told the time.

    Attributes:
        spent_ms: milliseconds, 0 if it was not asked.
        began_at: monotonic seconds, then.
    """

    def __init__(
        self, data: bytes | None, limits: ImageLimits, pool: Executor, telemetry: Telemetry
    ) -> None:
        self._data = data
        self._limits = limits
        self._pool = pool
        self._telemetry = telemetry
        self.spent_ms = self.began_at = 0.0

    async def __call__(self) -> NDArray[np.uint8]:
        """RGB uint8 (H, W, 3)."""
        assert self._data is not None, "nobody decodes what is not there"
        started = self.began_at = time.monotonic()
        loop = asyncio.get_running_loop()
        pixels = await loop.run_in_executor(self._pool, read_pixels, self._data, self._limits)
        spent_s = time.monotonic() - started
        self._telemetry.stage_seconds.labels("decode_image").observe(spent_s)
        self.spent_ms = spent_s * 1000
        return pixels
