"""The gate of the REST API: each route with the scope that it needs. What is not listed is shut."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from suresam.access import caller
from suresam.access.door import Door
from suresam.api.rest.middleware import refuse_route

_Needs = caller.Scope | Literal["nothing"]

_READ: Mapping[str, _Needs] = {"GET": "infer", "HEAD": "infer"}

NEEDS: Mapping[str, Mapping[str, _Needs]] = {
    "/livez": {"GET": "nothing"},
    "/readyz": {"GET": "nothing"},
    "/metrics": {"GET": "metrics"},
    "/openapi.json": _READ,
    "/docs": _READ,
    "/docs/favicon.png": _READ,
    "/docs/redoc.standalone.js": _READ,
    "/docs/start.js": _READ,
    "/docs/swagger-ui-bundle.js": _READ,
    "/docs/swagger-ui.css": _READ,
    "/redoc": _READ,
    "/v1/models": {"GET": "infer"},
    "/v1/segment": {"POST": "infer"},
    "/v1/sessions": {"POST": "infer"},
    "/v1/sessions/{session_id}": {"GET": "infer", "DELETE": "infer"},
    "/v1/sessions/{session_id}/images": {"POST": "infer"},
    "/v1/sessions/{session_id}/segment": {"POST": "infer"},
}
"""What each method of each route needs. A route of the application that is missing here answers
404, with any key and without."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A route as the edge finds it in the scope, also of a request that never came to it.

    Attributes:
        path: with the names of its parameters.
        methods: what each of them needs.
    """

    path: str
    methods: Mapping[str, _Needs]


_KNOWN = {path: _Known(path, needs) for path, needs in NEEDS.items()}

_PATTERNS = tuple((compile_path(path)[0], route) for path, route in _KNOWN.items() if "{" in path)

_NOWHERE = _Known("", {})


class Gate:
    """Lets a request through to the application if its key allows it, and counts it while inside.

    The application finds who asks as `request.state.caller`.

    Args:
        app: the application inside.
        door: knows the keys.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it before any of its body is read.

        Raises:
            Unauthenticated, PermissionDenied, RateLimited
        """
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        assert scope["type"] == "http", "the server is told to speak nothing else"
        route = scope["route"] = _route_of(scope["path"])
        methods = route.methods
        needs = methods.get(scope["method"])
        if needs == "nothing":
            await self._app(scope, receive, send)
            return
        # A stranger is not told what there is.
        who = self._door.admit(_authorizations(scope), needs)
        if needs is None:
            response = refuse_route(Request(scope), _absence(methods))
            await response(scope, receive, send)
            return
        scope["state"]["caller"] = who
        with who.account.request():
            await self._app(scope, receive, send)


def _route_of(path: str) -> _Known:
    listed = _KNOWN.get(path)
    if listed is not None:
        return listed
    return next((route for pattern, route in _PATTERNS if pattern.match(path)), _NOWHERE)


def _authorizations(scope: Scope) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]


def _absence(methods: Mapping[str, _Needs]) -> HTTPException:
    if methods:
        return HTTPException(405, headers={"allow": ", ".join(methods)})
    return HTTPException(404)
