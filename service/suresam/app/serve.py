"""`suresam serve`: run until a signal, then drain and exit 0."""

import asyncio
import contextlib
import gc
import logging
import signal
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suresam.app.compose import compose
from suresam.app.members import load_members
from suresam.app.running import RunningService
from suresam.engine.local import Member
from suresam.settings import Settings, read_settings
from suresam.version import __version__

try:
    # Replies come from the device's thread, and asyncio writes to a pipe for each of a batch.
    import uvloop
except ImportError:  # Windows has none
    uvloop = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_EXAMPLE_IMAGE = Path("docs/coffee.jpg")
_EXAMPLE_REQUEST = '{"prompts":[{"points":[[280,160]],"labels":[1]}]}'


def serve(overrides: Mapping[str, Any]) -> None:
    """Serve REST and gRPC until SIGTERM or SIGINT.

    Args:
        overrides: settings by name, over the environment.

    Raises:
        ConfigurationError: wrong settings, missing weights, a port in use.
        NotReady: warming up failed.
    """
    settings = read_settings(overrides)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # About odd uploads; their texts come from strangers and belong into no log.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    serve_members(settings, *load_members(settings))


def serve_members(settings: Settings, family: str, members: Sequence[Member]) -> None:
    """Serve models that are loaded, until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: a port in use.
        NotReady: warming up failed.
    """
    composition = compose(settings, family, members)
    run_in_loop = asyncio.run if uvloop is None else uvloop.run
    run_in_loop(_run(RunningService(composition)))


async def _run(service: RunningService) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stopping.set)
    await service.start()
    try:
        await service.warm_up()
        # What is here now stays: a collection that walks through all modules and models stops
        # every request for tens of milliseconds, several times a second under load.
        gc.collect()
        gc.freeze()
        print(_greeting(service), flush=True)
        await stopping.wait()
        logger.info("stopping: finishing what is in progress")
    finally:
        await service.stop()


def _greeting(service: RunningService) -> str:
    settings, parts = service.composition.settings, service.composition
    # An address that means every interface is none that a client could connect to.
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    host = f"[{name}]" if ":" in name else name
    url = f"http://{host}:{service.http_port}"
    image = _EXAMPLE_IMAGE if _EXAMPLE_IMAGE.is_file() else "photo.jpg"
    return (
        f"suresam {__version__} serves the family {parts.family}\n"
        f"  REST  {url}  (try {url}/docs)\n"
        f"  gRPC  {host}:{service.grpc_port}\n"
        f"  curl -F image=@{image} -F 'request={_EXAMPLE_REQUEST}' {url}/v1/segment"
    )
