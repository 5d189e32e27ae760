"""The FastAPI application: routes and edge round one service."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from suresam.access.door import Door
from suresam.api.closing import Closing
from suresam.api.prompt_stream import MAX_RUNNING_PROMPTS
from suresam.api.rest import documentation
from suresam.api.rest.gate import Gate
from suresam.api.rest.middleware import Edge, refuse_route
from suresam.api.rest.openapi import complete
from suresam.api.rest.routes import probes, v1
from suresam.api.rest.shortcut import Shortcut
from suresam.routing.router import Router
from suresam.segmentation.images import ImageLimits
from suresam.telemetry import Telemetry
from suresam.version import __version__

if TYPE_CHECKING:
    from suresam.tracing.server import Tracer


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
        closing: of the service.
        max_running_prompts: of one request that is answered by events, in progress at a time.
        tracer: traces requests, or None.
    """

    door: Door
    router: Router
    is_ready: Callable[[], bool]
    telemetry: Telemetry
    pool: Executor
    image_limits: ImageLimits
    max_body_bytes: int
    closing: Closing
    max_running_prompts: int = MAX_RUNNING_PROMPTS
    tracer: "Tracer | None" = None


def build_application(service: Service) -> ASGIApp:
    """The REST API of a service."""
    app = build_fastapi(service)
    # Round FastAPI's own middleware and not within: our routes need none of it.
    inside = Gate(Shortcut(app, ours()), service.door)
    return Edge(inside, service.max_body_bytes, service.telemetry, service.closing, service.tracer)


def build_fastapi(service: Service) -> FastAPI:
    """All routes with their documentation, without what keeps strangers out."""
    app = FastAPI(
        title="suresam",
        version=__version__,
        redirect_slashes=False,
        docs_url=None,  # ours need nothing from elsewhere
        redoc_url=None,
        summary="Segment Anything masks that say how far they can be trusted.",
        # Its own traces know none of the routes that do not pass it, and tell paths.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    app.router.routes.extend([*ours(), *documentation.routes])
    app.add_exception_handler(HTTPException, refuse_route)
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        return complete(generated(), service.door.needs_key)

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app


def ours() -> list[Route]:
    """The routes that are not pages of documentation."""
    return [route for route in (*v1.routes, *probes.routes) if isinstance(route, Route)]
