"""`suresam serve`: run until a signal, then drain and exit 0."""

import asyncio
import contextlib
import gc
import logging
import os
import shlex
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from suresam.app.compose import compose
from suresam.app.devices import Models, choose_models
from suresam.app.logs import log_to_stderr
from suresam.app.running import RunningService
from suresam.errors import NotReady
from suresam.settings import Settings
from suresam.version import __version__

try:
    # Replies come from the device's thread, and asyncio writes to a pipe for each of a batch.
    import uvloop
except ImportError:  # Windows has none
    uvloop = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_COLD_STOP_S = 1.0
"""For refusals on their way and open files, where nothing else has to be waited for."""

_EXAMPLE_IMAGE = Path("docs/coffee.jpg")
_EXAMPLE_REQUEST = '{"prompts":[{"points":[[280,160]],"labels":[1]}]}'


def serve(settings: Settings) -> None:
    """Serve REST and gRPC until SIGTERM or SIGINT; a second one ends the waiting for requests.

    Raises:
        ConfigurationError: missing weights, a port in use.
        NotReady: warming up failed, or the device was lost.
    """
    log_to_stderr(settings)
    serve_models(settings, choose_models(settings))


def serve_models(settings: Settings, models: Models) -> None:
    """Serve models until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: a port in use, or models that cannot be loaded.
        NotReady: warming up failed, or the device was lost.
    """
    allow_open_files()
    composition = compose(settings, models)
    run_in_loop = asyncio.run if uvloop is None else uvloop.run
    run_in_loop(_run(RunningService(composition)))


def allow_open_files() -> None:
    """Raise this process's limit of open files as far as the system lets it: each connection is
    one, and many systems begin with 1024.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every system
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run(service: RunningService) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            logger.info("told again to stop: what is in progress is refused")
            service.hurry()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop)
    await service.start()
    is_warm = False
    try:
        if service.watches_files:  # if not, a closed terminal still ends the service
            with contextlib.suppress(NotImplementedError, AttributeError):
                loop.add_signal_handler(signal.SIGHUP, service.read_files_again)
        if await _unless_stopped(service.warm_up(), stopping):
            is_warm = True
            # What is here now stays: a collection that walks through all modules and models stops
            # every request for tens of milliseconds, several times a second under load.
            gc.collect()
            gc.freeze()
            _announce(service)
            if await _unless_stopped(service.composition.engine.wait_lost(), stopping):
                raise NotReady("the device can be used no more from this process; start it again")
        logger.info("stopping: finishing what is in progress")
        if not is_warm:
            await _leave_cold(service)
    finally:
        await service.stop()


async def _leave_cold(service: RunningService) -> None:
    """End the process although models still load, compile or warm up, which may take minutes.

    Nobody waits for an answer: whoever came was refused. What loads cannot be called off, and an
    interpreter that ends in order would wait for it; engine processes end when ours does.
    """
    await asyncio.wait({asyncio.create_task(service.stop())}, timeout=_COLD_STOP_S)
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


async def _unless_stopped(work: Coroutine[Any, Any, None], stopping: asyncio.Event) -> bool:
    """Wait for work or for a signal; whether it was the work that came to its end."""
    task, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return task.done()
    finally:
        task.cancel()
        stop.cancel()


def _announce(service: RunningService) -> None:
    """Say where it is served: to people, or as a line of the log to who collects JSON."""
    if service.composition.settings.log_format == "json":
        url, address = _addresses(service)
        logger.info(
            "suresam %s serves the family %s: REST %s, gRPC %s",
            __version__, service.composition.family, url, address,
        )  # fmt: skip
    else:
        print(_greeting(service), flush=True)


def _addresses(service: RunningService) -> tuple[str, str]:
    """Of REST and of gRPC, as clients write them."""
    settings = service.composition.settings
    # An address that means every interface is none that a client could connect to.
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    host = f"[{name}]" if ":" in name else name
    has_tls = settings.tls_cert is not None
    return (
        f"{'https' if has_tls else 'http'}://{host}:{service.http_port}",
        f"{'grpcs://' if has_tls else ''}{host}:{service.grpc_port}",
    )


def _greeting(service: RunningService) -> str:
    settings, parts = service.composition.settings, service.composition
    url, address = _addresses(service)
    image = _EXAMPLE_IMAGE if _EXAMPLE_IMAGE.is_file() else "photo.jpg"
    key = '-H "Authorization: Bearer $SURESAM_API_KEY" ' if parts.door.needs_key else ""
    tls = ""
    if settings.tls_cert is not None:
        tls += f"--cacert {shlex.quote(settings.tls_cert)} "  # curl trusts a certificate named so
    if settings.tls_client_ca is not None:
        tls += "--cert CLIENT.pem --key CLIENT.key "
    return (
        f"suresam {__version__} serves the family {parts.family}\n"
        f"  REST  {url}  (try {url}/docs)\n"
        f"  gRPC  {address}\n"
        f"  curl {tls}{key}-F image=@{image} -F 'request={_EXAMPLE_REQUEST}' {url}/v1/segment"
    )
