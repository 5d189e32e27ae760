"""Both servers round one composition, from listening to drained."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import uvicorn

from suresam.api.grpc.edge import Edge
from suresam.api.grpc.gate import Gate
from suresam.api.grpc.server import GrpcServer
from suresam.api.grpc.servicer import Servicer
from suresam.api.grpc.uploads import StreamLimits
from suresam.api.rest.application import Service, build_application
from suresam.app.compose import Composition
from suresam.app.file_watch import FileWatch
from suresam.app.keys import watch_keys
from suresam.app.tls import open_tls, watch_tls
from suresam.errors import ConfigurationError

_GRACE_AFTER_DRAIN_S = 2.0
"""For answers that are computed but not yet sent when the drain ends."""


_LOOK_EVERY_S = 0.1
"""How often readiness is looked at, for those who are told of it."""

_LOOK_AT_FILES_EVERY_S = 2.0
"""How often files that may change are looked at."""


class _HttpServer(uvicorn.Server):
    """uvicorn that tells when it listens, and without its signal handling, which would raise
    the signal again at the end.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class RunningService:
    """REST and gRPC on their ports, in this event loop.

    Attributes:
        composition: what they serve.
        http_port, grpc_port: the real ones after `start`.
    """

    composition: Composition
    http_port: int = 0
    grpc_port: int = 0
    _is_stopping: bool = False
    _following: "asyncio.Task[None] | None" = None
    _watches: list[FileWatch] = field(default_factory=list)
    _watching: "asyncio.Task[None] | None" = None
    _http: _HttpServer = field(init=False)
    _http_task: "asyncio.Task[None]" = field(init=False)
    _grpc: GrpcServer = field(init=False)

    def is_ready(self) -> bool:
        """Whether work is taken: warm, and not stopping."""
        return self.composition.engine.is_ready() and not self._is_stopping

    async def start(self) -> None:
        """Listen; requests are refused as not ready until a device is warm.

        Raises:
            ConfigurationError: an address is taken or not this machine's, or TLS files that cannot
                be used.
        """
        parts, settings = self.composition, self.composition.settings
        tls = open_tls(settings)
        http_socket = _listen(settings.host, settings.http_port)
        self.http_port = http_socket.getsockname()[1]
        edge = Edge(parts.telemetry)
        self._grpc = GrpcServer(
            Servicer(
                parts.router,
                StreamLimits(
                    images=parts.image_limits,
                    max_images=settings.max_session_images,
                    max_bytes=settings.max_body_bytes,
                    max_prompts=settings.max_prompts,
                ),
                edge,
            ),
            Gate(parts.door, edge),
            # Above our own limits, so that our error is the one seen.
            max_message_bytes=2 * settings.max_body_bytes + 2**20,
        )
        try:
            self.grpc_port = await self._grpc.start(
                settings.host, settings.grpc_port, None if tls is None else tls.grpc_credentials()
            )
        except OSError as error:
            http_socket.close()
            raise ConfigurationError(f"grpc_port={settings.grpc_port}: {error}") from None
        app = build_application(
            Service(
                door=parts.door,
                router=parts.router,
                is_ready=self.is_ready,
                telemetry=parts.telemetry,
                pool=parts.pool,
                image_limits=parts.image_limits,
                max_body_bytes=settings.max_body_bytes,
            )
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            # The address that is logged is the peer's: a header may name any. And both of these
            # headers cost every answer a little.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=int(_GRACE_AFTER_DRAIN_S),
        )
        config.load()
        config.ssl = None if tls is None else tls.context
        self._http = _HttpServer(config)
        self._http_task = asyncio.create_task(self._http.serve(sockets=[http_socket]))
        await self._http.is_listening.wait()
        keys = watch_keys(settings, parts.door)
        if keys is not None:
            self._watches.append(keys)
        if tls is not None:
            self._watches.append(watch_tls(tls, parts.telemetry))
        if self._watches:
            self._watching = asyncio.create_task(self._watch_files())

    async def warm_up(self) -> None:
        """Start the engine, and tell health checks when it is warm.

        Raises:
            ConfigurationError: it cannot be compiled, or its masks are not those of eager float32.
            NotReady: warming up failed; the log says why.
        """
        self.composition.engine.start()
        await self.composition.engine.wait_ready()
        self._following = asyncio.create_task(self._follow_readiness())

    @property
    def watches_files(self) -> bool:
        """Whether there are files that may change."""
        return bool(self._watches)

    def read_files_again(self) -> None:
        """Take up the files that may change, such as that of the API keys."""
        for watch in self._watches:
            watch.read()

    async def _watch_files(self) -> None:
        while True:
            for watch in self._watches:
                watch.look()
            await asyncio.sleep(_LOOK_AT_FILES_EVERY_S)

    async def _follow_readiness(self) -> None:
        """Tell gRPC's health checks what `is_ready` says."""
        was_ready = False
        while True:
            if self.is_ready() != was_ready:
                was_ready = not was_ready
                await self._grpc.set_serving(was_ready)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def stop(self) -> None:
        """Refuse new work, finish what is in progress within the drain time, close the ports."""
        if self._is_stopping:
            return
        self._is_stopping = True
        for task in (self._following, self._watching):
            if task is not None:
                task.cancel()
        await self._grpc.set_serving(False)
        await self.composition.router.close()
        await self.composition.engine.close(self.composition.settings.drain_s)
        self._http.should_exit = True
        await asyncio.gather(self._grpc.stop(_GRACE_AFTER_DRAIN_S), self._http_task)
        # Last: the answers of what was in progress are still encoded in it.
        for pool in (self.composition.pool, self.composition.uploads):
            pool.shutdown(wait=False, cancel_futures=True)
        if self.composition.decision_log is not None:
            self.composition.decision_log.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay off only where it stands: without
    # it every second answer on a connection waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"http_port={port}: cannot listen on {host}:{port}: {error.strerror}"
        ) from None
    return listener
