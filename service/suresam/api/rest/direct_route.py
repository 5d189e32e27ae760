"""A route whose endpoint takes the request itself: nothing is injected, nothing validated again."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute


class DirectRoute(APIRoute):
    """Calls `endpoint(request, **path_parameters)` and sends the `Response` that it returns.

    The documentation is generated as for any route. What FastAPI does besides for every request
    (dependencies, reading and parsing the body, validating the answer) is nothing that these
    endpoints use.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        return handle
