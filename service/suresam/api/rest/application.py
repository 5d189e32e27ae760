"""The FastAPI application: routes and edge round one service."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import Route

from suresam.access.door import Door
from suresam.api.prompt_stream import MAX_RUNNING_PROMPTS
from suresam.api.rest.gate import Gate
from suresam.api.rest.middleware import Edge, refuse_route
from suresam.api.rest.openapi import complete
from suresam.api.rest.routes import probes, v1
from suresam.api.rest.shortcut import Shortcut
from suresam.routing.router import Router
from suresam.segmentation.images import ImageLimits
from suresam.telemetry import Telemetry
from suresam.version import __version__


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes need.

    Attributes:
        door: lets requests in.
        router: answers requests.
        is_ready: whether the service takes work.
        telemetry: its metrics.
        pool: for JSON and pictures, off the event loop.
        image_limits: of an upload.
        max_body_bytes: of one HTTP request.
        max_running_prompts: of one request that is answered by events, in progress at a time.
    """

    door: Door
    router: Router
    is_ready: Callable[[], bool]
    telemetry: Telemetry
    pool: Executor
    image_limits: ImageLimits
    max_body_bytes: int
    max_running_prompts: int = MAX_RUNNING_PROMPTS


def build_application(service: Service) -> FastAPI:
    """The REST API of a service."""
    app = FastAPI(
        title="suresam",
        version=__version__,
        redirect_slashes=False,
        summary="Segment Anything masks that say how far they can be trusted.",
    )
    app.state.service = service
    ours = [route for route in (*v1.routes, *probes.routes) if isinstance(route, Route)]
    app.router.routes.extend(ours)
    app.add_exception_handler(HTTPException, refuse_route)
    app.add_middleware(Shortcut, routes=ours)
    app.add_middleware(Gate, door=service.door)  # inside of the edge, which is added after it
    app.add_middleware(Edge, max_body_bytes=service.max_body_bytes, telemetry=service.telemetry)
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        return complete(generated(), service.door.needs_key)

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app
