"""The way of our own routes round the framework's layers, which they use none of."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send


class Shortcut:
    """Calls `endpoint(request, **path_parameters)` of a matching route and sends its `Response`.

    Everything else goes on to the application, which knows the routes as well, for their
    documentation. What FastAPI does besides for every request (its middleware, exit stacks for
    dependencies, parsing the body, validating the answer, two more handlers of exceptions) is
    nothing that these endpoints use, and took a fifth of the interpreter's time for a click.

    Args:
        app: knows the unknown paths, the wrong methods and its own pages.
        routes: whose endpoints take the request itself.
    """

    def __init__(self, app: Starlette, routes: Sequence[Route]) -> None:
        self._app = app
        self._routes: dict[str, list[Route]] = {}
        for route in routes:
            self._routes.setdefault(route.path, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            for route in self._routes.get(scope["route"].path, ()):  # as the gate found it
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found, app=self._app)
                    response = await route.endpoint(
                        Request(scope, receive, send), **scope["path_params"]
                    )
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)
