"""People who click as soon as they have their answer: how much a server can do at most."""

import asyncio

import numpy as np

from suresam.benchmarks.serve.exchange import OK, Reply
from suresam.benchmarks.serve.phase_log import PhaseLog
from suresam.benchmarks.serve.pictures import Picture, PicturePile
from suresam.benchmarks.serve.target import Target

_PAUSE_S = 0.1
"""Seconds that a person waits who was refused."""


class Person:
    """Clicks at random places, without a pause.

    Args:
        target: whom to ask.
        pictures: where the person's own come from.
        mean_clicks: on a picture before it is deleted and another uploaded, geometric; None stays
            with the first, so that every click finds it embedded.
        rng: draws clicks.
    """

    def __init__(
        self,
        target: Target,
        pictures: PicturePile,
        mean_clicks: float | None,
        rng: np.random.Generator,
    ) -> None:
        self._target = target
        self._pictures = pictures
        self._mean_clicks = mean_clicks
        self._rng = rng
        self._picture = Picture(0, 0, b"")
        self._session_id: str | None = None
        self._clicks_left = 0

    async def come(self) -> None:
        """Upload the first picture, and click once so that it is embedded.

        Raises:
            ConfigurationError: the server does not take it.
        """
        self._take_picture()
        self._session_id = await self._target.upload_surely(self._picture)
        await self._click(self._session_id)

    async def act(self, log: PhaseLog) -> None:
        """Click until the phase ends, then leave."""
        while log.now_s() < log.seconds:
            sent_s = log.now_s()
            if self._session_id is None:
                self._take_picture()
                reply = await self._target.rest.upload(self._picture)
                self._session_id = reply.session_id
                log.add("upload", sent_s, sent_s, reply)
            else:
                reply = await self._click(self._session_id)
                log.add("click", sent_s, sent_s, reply)
                self._clicks_left -= 1
            if reply.code != OK:
                await asyncio.sleep(_PAUSE_S)
            if self._mean_clicks is not None and self._clicks_left <= 0:
                await self._leave()
        await self._leave()

    async def _click(self, session_id: str) -> Reply:
        x, y = 0.1 + 0.8 * self._rng.random(2)
        aim = self._picture.aim(float(x), float(y))
        return await self._target.clicks.click(session_id, aim.point)

    async def _leave(self) -> None:
        if self._session_id is not None:
            await self._target.rest.delete(self._session_id)
        self._session_id = None

    def _take_picture(self) -> None:
        self._picture = self._pictures.another()
        if self._mean_clicks is not None:
            self._clicks_left = int(self._rng.geometric(1 / self._mean_clicks))
