"""Both servers round one composition, from listening to drained."""

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from suresam.api.closing import Closing
from suresam.api.grpc.edge import Edge
from suresam.api.grpc.gate import Gate
from suresam.api.grpc.server import GrpcLimits, GrpcServer
from suresam.api.grpc.servicer import Servicer
from suresam.api.grpc.uploads import StreamLimits
from suresam.api.rest.application import Service, build_application
from suresam.api.rest.connection import Connection, ConnectionLimits
from suresam.api.upload_times import UploadTimes
from suresam.app.compose import Composition
from suresam.app.file_watch import FileWatch
from suresam.app.keys import watch_keys
from suresam.app.tls import Tls, open_tls, watch_tls
from suresam.app.tracing import open_export
from suresam.errors import ConfigurationError

if TYPE_CHECKING:
    from suresam.tracing.export import Export

_GRACE_AFTER_DRAIN_S = 2.0
"""For answers that are computed but not yet sent when the drain ends."""


_TURNS_TO_COME_IN = 5
"""Of the event loop, in which connections that wait at the port are taken."""

_LONGEST_LAST_CALL_S = 0.2

_GRPC_GRACE_S = 1.0
"""For calls that came when all others were answered; grpc may have taken one and forgotten it."""

_LAST_SPANS_S = 2.0
"""For a collector to take the last spans."""

_LOOK_EVERY_S = 0.1
"""How often readiness is looked at, for those who are told of it."""

_LOOK_AT_FILES_EVERY_S = 2.0
"""How often files that may change are looked at."""


class _HttpServer(uvicorn.Server):
    """uvicorn that tells when it listens, and without its signal handling, which would raise
    the signal again at the end.

    Args:
        config: of uvicorn.
        last_call_s: seconds for which requests are still read on open connections when no more
            connections are taken.
    """

    def __init__(self, config: uvicorn.Config, last_call_s: float) -> None:
        super().__init__(config)
        self._last_call_s = last_call_s
        self.is_listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Who has connected comes in before the port is closed.
        for _ in range(_TURNS_TO_COME_IN):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        # And what they send is read before they are: a request that crossed the end would find a
        # reset in place of an answer.
        await asyncio.sleep(self._last_call_s)
        await super().shutdown(sockets)

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
    _closing: Closing = field(default_factory=Closing)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _hurrying: "asyncio.Task[None] | None" = None
    _following: "asyncio.Task[None] | None" = None
    _watches: list[FileWatch] = field(default_factory=list)
    _watching: "asyncio.Task[None] | None" = None
    _export: "Export | None" = None
    _http: _HttpServer = field(init=False)
    _http_task: "asyncio.Task[None]" = field(init=False)
    _grpc: GrpcServer = field(init=False)

    def is_ready(self) -> bool:
        """Whether work is taken: warm, and not stopping."""
        return self.composition.engine.is_ready() and not self._closing.has_begun

    async def start(self) -> None:
        """Listen; requests are refused as not ready until a device is warm.

        Raises:
            ConfigurationError: an address is taken or not this machine's, or TLS files that cannot
                be used.
        """
        settings = self.composition.settings
        tls = open_tls(settings)
        self._export = open_export(settings)
        http_socket = _bind("http_port", settings.host, settings.http_port)
        self.http_port = http_socket.getsockname()[1]
        try:
            await self._serve_on(http_socket, tls)
        except BaseException:
            http_socket.close()
            raise

    async def _serve_on(self, http_socket: socket.socket, tls: Tls | None) -> None:
        parts, settings = self.composition, self.composition.settings
        tracer = None if self._export is None else self._export.tracer
        edge = Edge(parts.telemetry, self._closing, tracer)
        times = UploadTimes(settings.max_upload_idle_s, settings.max_upload_s)
        self._grpc = GrpcServer(
            Servicer(
                parts.router,
                StreamLimits(
                    images=parts.image_limits,
                    max_images=settings.max_session_images,
                    max_bytes=settings.max_body_bytes,
                    max_prompts=settings.max_prompts,
                    times=times,
                ),
                edge,
                self._closing,
            ),
            Gate(parts.door, edge, settings.max_upload_idle_s),
            GrpcLimits(
                max_message_bytes=2 * settings.max_body_bytes + 2**20,
                max_connections=settings.max_connections,
                max_handshake_s=settings.max_head_s,
            ),
        )
        try:
            # gRPC does not tell why it cannot, and writes to standard error itself.
            _bind("grpc_port", settings.host, settings.grpc_port).close()
            self.grpc_port = await self._grpc.start(
                settings.host, settings.grpc_port, None if tls is None else tls.grpc_credentials()
            )
        except OSError as error:
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
                closing=self._closing,
                tracer=tracer,
            )
        )
        config = uvicorn.Config(
            app,
            http=partial(  # type: ignore[arg-type]  # uvicorn calls it to make one
                Connection,
                ConnectionLimits(
                    max_connections=settings.max_connections,
                    max_head_s=settings.max_head_s,
                    upload=times,
                ),
            ),
            timeout_keep_alive=settings.keep_alive_s,  # type: ignore[arg-type]  # a delay as any
            log_config=None,
            # The address that is logged is the peer's: a header may name any. And both of these
            # headers cost every answer a little.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            ws="none",
            lifespan="off",
        )
        config.load()
        config.ssl = None if tls is None else tls.context
        last_call_s = min(_LONGEST_LAST_CALL_S, settings.drain_delay_s)
        self._http = _HttpServer(config, last_call_s)
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
        """Refuse new work, answer all that has come, and close the ports.

        Requests in progress have the drain time. For the drain delay at least whoever comes, be it
        on a new connection, is told that the service stops; then what has not wholly arrived is
        refused, and streams that are still open end with that.
        """
        if self._closing.has_begun:
            return
        self._closing.begin()
        settings, was_warm = self.composition.settings, self._following is not None
        drained_at = time.monotonic() + settings.drain_s
        for task in (self._following, self._watching):
            if task is not None:
                task.cancel()
        await self._grpc.set_serving(False)
        await self.composition.router.close()
        await asyncio.gather(
            self.composition.engine.close(settings.drain_s),
            # Before it was warm, nobody was sent here.
            self._wait_for_hurry(settings.drain_delay_s if was_warm else 0.0),
        )
        self._closing.end_reading()
        await self._closing.wait_answered(_left_s(drained_at))
        self._http.config.timeout_graceful_shutdown = math.ceil(_left_s(drained_at))
        self._http.should_exit = True
        await asyncio.gather(self._grpc.stop(_GRPC_GRACE_S), self._http_task)
        # Last: the answers of what was in progress are still encoded in it.
        for pool in (self.composition.pool, self.composition.uploads):
            pool.shutdown(wait=False, cancel_futures=True)
        if self.composition.decision_log is not None:
            self.composition.decision_log.close()
        if self._export is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._export.close, _LAST_SPANS_S)

    def hurry(self) -> None:
        """Wait for nothing more: what is not answered by now is refused."""
        if self._hurrying is None:
            self._hurry.set()
            self._hurrying = asyncio.create_task(self.composition.engine.close(0.0))

    async def _wait_for_hurry(self, wait_s: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), wait_s)


def _left_s(drained_at: float) -> float:
    """Seconds for answers that are made and not yet taken."""
    return max(0.0, drained_at - time.monotonic()) + _GRACE_AFTER_DRAIN_S


def _bind(name: str, host: str, port: int) -> socket.socket:
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
            f"{name}={port}: cannot listen on {host}:{port}: {error.strerror}"
        ) from None
    return listener
