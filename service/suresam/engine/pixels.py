"""Pixels of an uploaded file, decoded only when somebody needs them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from suresam.engine.device import DeviceImage
from suresam.engine.reading_room import ReadingRoom
from suresam.segmentation.images import ImageLimits, read_pixels
from suresam.telemetry import Telemetry


class PixelLoader:
    """Decodes one upload when asked to, and remembers how long that took.

    Args:
        image: with its file, unless that did not come along.
        tenant: whose it is.
        limits: of an image.
        room: for decoding, off the event loop.
        telemetry: is told the time.

    Attributes:
        spent_ms: milliseconds, with those that it waited for its turn; 0 if it was not asked.
        began_at: monotonic seconds, when it was asked.
    """

    def __init__(
        self,
        image: DeviceImage,
        tenant: str,
        limits: ImageLimits,
        room: ReadingRoom,
        telemetry: Telemetry,
    ) -> None:
        self._image = image
        self._tenant = tenant
        self._limits = limits
        self._room = room
        self._telemetry = telemetry
        self.spent_ms = self.began_at = 0.0

    @asynccontextmanager
    async def __call__(self, deadline: float) -> AsyncIterator[NDArray[np.uint8]]:
        """RGB uint8 (H, W, 3), to be used for the length of an `async with` block.

        Args:
            deadline: of who asks, monotonic seconds.
        """
        data, size = self._image.data, self._image.size
        assert data is not None, "nobody decodes what is not there"
        started = self.began_at = time.monotonic()
        work = partial(read_pixels, data, self._limits)
        async with self._room.read(
            self._tenant, deadline, size.width * size.height, work
        ) as pixels:
            spent_s = time.monotonic() - started
            self._telemetry.stage_seconds.labels("decode_image").observe(spent_s)
            self.spent_ms = spent_s * 1000
            yield pixels
