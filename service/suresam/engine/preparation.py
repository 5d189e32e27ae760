"""Embeddings that a session's next click will probably need, made while the device is idle."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from suresam.engine.affinity import Affinity
from suresam.engine.device import DeviceImage
from suresam.engine.sessions import SessionStore
from suresam.engine.tasks import within
from suresam.errors import DeadlineExceeded, ServiceError
from suresam.telemetry import Telemetry

logger = logging.getLogger(__name__)

_MOST_WISHES = 1000
"""That are remembered; the oldest go first."""

_PATIENCE_MS = 30_000
"""For which one embedding waits for idle time: its pixels wait in memory."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An image of a session that a member should know.

    Attributes:
        tenant, session_id, image_id: which. The file is looked up when its turn comes.
        model: the member.
    """

    tenant: str
    session_id: str
    image_id: str
    model: str


class Preparation:
    """Sees to one wish after the other. Used by the event loop alone.

    Args:
        sessions: hold the images; being prepared does not keep a session alive.
        affinity: says which device an image is for.
        num_at_once: wishes in progress.
        telemetry: counts what became of them.
    """

    def __init__(
        self, sessions: SessionStore, affinity: Affinity, num_at_once: int, telemetry: Telemetry
    ) -> None:
        self._sessions = sessions
        self._affinity = affinity
        self._num_at_once = num_at_once
        self._telemetry = telemetry
        self._wishes: OrderedDict[Wish, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def want(self, wishes: Iterable[Wish]) -> None:
        """See to these as well, after those that are known."""
        for wish in wishes:
            self._wishes.setdefault(wish)
        while len(self._wishes) > _MOST_WISHES:
            self._wishes.popitem(last=False)
            self._telemetry.prepared.labels("given_up").inc()
        while len(self._tasks) < min(self._num_at_once, len(self._wishes)):
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop all of it."""
        self._wishes.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while self._wishes:
            wish, _ = self._wishes.popitem(last=False)
            self._telemetry.prepared.labels(await self._fulfil(wish)).inc()

    async def _fulfil(self, wish: Wish) -> Literal["made", "there", "given_up", "failed"]:
        image = self._sessions.look_up(wish.tenant, wish.session_id, wish.image_id)
        if image is None:
            return "given_up"
        told = DeviceImage(image.key, image.size, image.data)
        try:
            device = self._affinity.home_of(image.key)
            return await within(_PATIENCE_MS, device.prepare(wish.tenant, wish.model, told))
        except DeadlineExceeded:
            return "given_up"
        except ServiceError as error:
            logger.info("%s was not prepared: %s: %s", wish.model, error.code, error.message)
            return "failed"
