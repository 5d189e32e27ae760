"""The pages that show openapi.json. Their scripts come from this service, and they ask no other."""

from pathlib import Path

import fastapi_offline
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

_FILES = Path(fastapi_offline.__file__).with_name("static")
_NAMES = ("favicon.png", "redoc.standalone.js", "swagger-ui-bundle.js", "swagger-ui.css")

# The viewers set styles of elements, ReDoc searches in a worker; both draw pictures from data.
# What they would load from elsewhere, such as a logo or a validator's badge, is left out.
_ONLY_OURS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

_START = """\
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#viewer", deepLinking: true, validatorUrl: null,
});
"""


def _page(title: str, viewer: str) -> str:
    # Every address is relative, so that the pages work behind a prefix as well.
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="docs/favicon.png">
</head>
<body>
{viewer}
</body>
</html>
"""


_SWAGGER = _page(
    "suresam: try the API",
    """\
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="viewer"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>""",
)
_REDOC = _page(
    "suresam: the API",
    '<redoc spec-url="openapi.json"></redoc>\n<script src="docs/redoc.standalone.js"></script>',
)


async def _swagger(_: Request) -> Response:
    return HTMLResponse(_SWAGGER, headers=_ONLY_OURS)


async def _redoc(_: Request) -> Response:
    return HTMLResponse(_REDOC, headers=_ONLY_OURS)


async def _start(_: Request) -> Response:
    return Response(_START, media_type="text/javascript")


async def _file(request: Request) -> Response:
    return FileResponse(_FILES / request.url.path.rpartition("/")[2])


routes = [
    Route("/docs", _swagger),
    Route("/redoc", _redoc),
    Route("/docs/start.js", _start),
    *(Route(f"/docs/{name}", _file) for name in _NAMES),
]
"""Of the application; only files that are named here are read."""
