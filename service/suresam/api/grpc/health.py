"""gRPC's health checks, which strangers may ask."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from suresam.api.grpc.edge import Context

_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(health.aio.HealthServicer):  # type: ignore[name-defined, misc]  # missing in the stubs
    """The library's servicer, with another `Watch`.

    Its own writes while it holds the lock that whoever tells a new status waits for: one client
    that does not read would hold up the others, and the service's end.

    Args:
        max_watches: open at a time; more are refused, since nobody needs a key for one.
    """

    def __init__(self, max_watches: int) -> None:
        super().__init__()
        self._max_watches = max_watches
        self._num_watches = 0
        self._changed = asyncio.Event()

    async def Watch(self, request: Any, context: Context) -> None:  # noqa: N802  (named by the proto)
        """Tell the status of a service, now and whenever it changes."""
        if self._num_watches >= self._max_watches:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._num_watches} watches are open (limit {self._max_watches})",
            )
        self._num_watches += 1
        try:
            last = None
            while True:
                changed = self._changed
                status = self._server_status.get(request.service, _UNKNOWN)
                if status != last:
                    await context.write(health_pb2.HealthCheckResponse(status=status))
                    last = status
                await changed.wait()
        finally:
            self._num_watches -= 1

    async def set(self, service: str, status: Any) -> None:
        """Tell a new status."""
        await super().set(service, status)
        self._changed.set()
        self._changed = asyncio.Event()
