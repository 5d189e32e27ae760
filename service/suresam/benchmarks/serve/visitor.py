"""One visitor carrying out what was planned, whatever the server does."""

import asyncio

from suresam.benchmarks.serve.exchange import HUNG_UP, NO_SESSION, ExchangeKind, Reply
from suresam.benchmarks.serve.phase_log import PhaseLog
from suresam.benchmarks.serve.pictures import Picture, PicturePile
from suresam.benchmarks.serve.target import Target
from suresam.benchmarks.serve.visits import Click, Visit

SLOW_UPLOAD_S = 5.0
"""Seconds over which a staller's body is spread."""


class Visitor:
    """Of one visit.

    Args:
        visit: what to do.
        target: whom to ask.
        pictures: where the visitor's own come from.
    """

    def __init__(self, visit: Visit, target: Target, pictures: PicturePile) -> None:
        self.visit = visit
        self._target = target
        self._pictures = pictures
        self._session_id: str | None = None
        self._picture = Picture(0, 0, b"")

    async def come_early(self) -> None:
        """Upload the picture before the phase, for visitors who are there as it begins.

        Raises:
            ConfigurationError: the server does not take it.
        """
        self._session_id = await self._target.upload_surely(self._take_picture())

    async def act(self, log: PhaseLog) -> None:
        """Do everything at its time, and note what became of it."""
        kind = self.visit.kind
        if kind == "bulk":
            await self._send_pictures(log)
            return
        session = asyncio.ensure_future(self._session(log))
        try:
            await asyncio.gather(*(self._click(click, session, log) for click in self.visit.clicks))
            session_id = await session
        finally:
            session.cancel()
        if session_id is not None:
            await self._target.rest.delete(session_id)

    async def _session(self, log: PhaseLog) -> str | None:
        if self._session_id is not None:
            return self._session_id
        start_s = self.visit.start_s
        await log.wait_until(start_s)
        picture = self._take_picture()
        is_slow = self.visit.kind == "staller"
        kind: ExchangeKind = "slow_upload" if is_slow else "upload"
        takes_s = SLOW_UPLOAD_S if is_slow else 0.0
        sent_s = log.now_s() + takes_s
        reply = await self._target.rest.upload(picture, takes_s)
        # An answer before the last byte ends the sending.
        log.add(kind, start_s, min(sent_s, reply.received_s - log.origin_s), reply)
        return reply.session_id

    async def _click(
        self, click: Click, session: "asyncio.Future[str | None]", log: PhaseLog
    ) -> None:
        kind: ExchangeKind = "click" if click.hang_up_s is None else "cancelled_click"
        await log.wait_until(click.time_s)
        session_id = await session
        sent_s = log.now_s()
        aim = None
        if session_id is None:
            reply = Reply(NO_SESSION, sent_s + log.origin_s)
        else:
            aim = self._picture.aim(click.x, click.y)
            asking = self._target.clicks.click(session_id, aim.point)
            try:
                # A timeout cancels the request, which closes its connection.
                reply = await (
                    asking if click.hang_up_s is None else asyncio.wait_for(asking, click.hang_up_s)
                )
            except asyncio.TimeoutError:
                reply = Reply(HUNG_UP, log.now_s() + log.origin_s)
        log.add(kind, click.time_s, sent_s, reply, aim)

    async def _send_pictures(self, log: PhaseLog) -> None:
        await log.wait_until(self.visit.start_s)
        intended_s = self.visit.start_s
        for click in self.visit.clicks:
            if intended_s >= log.seconds:
                break
            picture = self._take_picture()
            aim = picture.aim(click.x, click.y)
            sent_s = log.now_s()
            reply = await self._target.rest.segment(picture, aim.point)
            log.add("one_shot", intended_s, sent_s, reply, aim)
            intended_s = log.now_s()

    def _take_picture(self) -> Picture:
        self._picture = self._pictures.another()
        return self._picture
