"""Who is put under load."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from suresam.benchmarks.serve.exchange import Reply
from suresam.benchmarks.serve.pictures import Picture
from suresam.benchmarks.serve.rest_server import RestServer
from suresam.domain import Point
from suresam.errors import ConfigurationError

_PATIENCE_S = 30.0
_PAUSE_S = 0.2


class Clicker(Protocol):
    """Either transport, as far as clicks go."""

    async def click(self, session_id: str, point: Point) -> Reply:
        """Click on a session's picture."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server.

    Attributes:
        rest: for pictures, sessions and metrics.
        clicks: for clicks; `rest` itself or gRPC.
    """

    rest: RestServer
    clicks: Clicker

    async def upload_surely(self, picture: Picture) -> str:
        """Make a session before the load begins, and give its id.

        Raises:
            ConfigurationError: it was refused again and again.
        """
        now = asyncio.get_running_loop().time
        until = now() + _PATIENCE_S
        while True:
            reply = await self.rest.upload(picture)
            if reply.session_id is not None:
                return reply.session_id
            if now() >= until:
                break
            await asyncio.sleep(_PAUSE_S)
        raise ConfigurationError(f"the server refuses uploads before any load: {reply.code}")
