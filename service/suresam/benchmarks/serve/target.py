"""Who is put under load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from suresam.benchmarks.serve.exchange import Reply
from suresam.benchmarks.serve.grpc_clicks import GrpcClicks
from suresam.benchmarks.serve.pictures import Picture
from suresam.benchmarks.serve.rest_server import RestServer
from suresam.client.grpc_call import key_metadata
from suresam.client.key import authorization
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


@asynccontextmanager
async def open_target(
    url: str,
    grpc: str | None,
    *,
    member: str | None = None,
    timeout_s: float,
    deadline_ms: float | None = None,
    api_key: str | None = None,
) -> AsyncIterator[Target]:
    """A server that answers, with connections that are closed in the end.

    Args:
        url: of REST.
        grpc: host:port for clicks over gRPC, or None.
        member: who should answer, a role or a name; None leaves it to the server.
        timeout_s: seconds after which an answer is given up.
        deadline_ms: that clicks ask for; None leaves it to the server.
        api_key: that it wants, or None for what the environment says.

    Raises:
        ConfigurationError: the server cannot be reached.
    """
    asked: dict[str, Any] = {}
    if member is not None:
        asked["route"] = {"mode": member}
    if deadline_ms is not None:
        asked["deadline_ms"] = deadline_ms
    rest = RestServer(url, asked, timeout_s, authorization(api_key))
    clicks = None
    try:
        await rest.check_ready()
        if grpc is not None:
            clicks = GrpcClicks(grpc, member, timeout_s, deadline_ms, key_metadata(api_key))
            await clicks.check_ready()
        yield Target(rest, clicks or rest)
    finally:
        rest.close()
        if clicks is not None:
            await clicks.close()
