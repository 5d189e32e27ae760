"""The child's side: a `LocalDevice`, asked through a channel."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from suresam.engine.black_box import BlackBox, Memory
from suresam.engine.device import FileWanted
from suresam.engine.limits import EngineLimits
from suresam.engine.local import LocalDevice, Member
from suresam.engine.process.channel import Channel
from suresam.engine.process.messages import Answer, Ask, Cancel, Owed, State
from suresam.errors import ConfigurationError, InferenceError, NotReady, ServiceError
from suresam.telemetry import Telemetry

logger = logging.getLogger(__name__)

EXIT_LOST = 70
"""Exit code of a process whose device is lost or hangs."""

SIGN_OF_LIFE_S = 1.0
"""Between two states that are told unasked."""

_LOOK_EVERY_S = 0.02

Build = Callable[[], Sequence[Member]]
"""Loads the models; a function of a module with its arguments, so that it can travel."""


def run(end: socket.socket, memory: Memory, build: Build, limits: EngineLimits) -> None:
    """Serve one device until the other end closes the socket. Does not return.

    Args:
        end: of the channel.
        memory: of the black box.
        build: loads the models.
        limits: of the device.
    """
    # Signals of the terminal reach every process; the first one decides what becomes of us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    asyncio.run(_serve(end, BlackBox(memory), build, limits))


async def _serve(
    end: socket.socket, black_box: BlackBox, build: Build, limits: EngineLimits
) -> None:
    host = _Host(end)
    loading = asyncio.ensure_future(_load(host, black_box, build, limits))
    await host.ended
    loading.cancel()
    # At once: whatever still loads, computes or hangs has nobody left to tell.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


async def _load(host: "_Host", black_box: BlackBox, build: Build, limits: EngineLimits) -> None:
    loop = asyncio.get_running_loop()
    try:
        members = await loop.run_in_executor(None, build)
        telemetry = Telemetry()
        telemetry.watch_process("suresam_engine")
        pool = ThreadPoolExecutor(limits.cpu_threads, "uploads")
        device = LocalDevice(
            members,
            limits,
            pool,
            telemetry,
            black_box=black_box,
            leave=_leave,
            charge=host.tell_owed,
        )
        device.start()
    except ConfigurationError as error:
        host.refuse_all(error)
    except Exception:  # nobody else would hear of it
        logger.exception("the engine could not be put together")
        host.refuse_all(NotReady("the engine process could not load its models; see the log"))
    else:
        host.serve(device, telemetry)


def _leave(reason: str) -> None:
    logger.error("%s: the engine process ends", reason)
    logging.shutdown()
    os._exit(EXIT_LOST)


class _Host:
    """Runs what the other end asks for, each call in a task of its own."""

    def __init__(self, end: socket.socket) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = Channel(end, self._receive, self._lost)
        self._early: list[Ask] | None = []
        self._failure: Exception | None = None
        self._device: LocalDevice | None = None
        self._telemetry: Telemetry | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._living = asyncio.ensure_future(self._live())

    def refuse_all(self, failure: Exception) -> None:
        """Answer whatever is asked with an error."""
        self._failure = failure
        self._take_early()

    def serve(self, device: LocalDevice, telemetry: Telemetry) -> None:
        """Answer calls from now on."""
        self._device, self._telemetry = device, telemetry
        self._take_early()

    def tell_owed(self, tenant: str, device_ms: float) -> None:
        """Pass on what a launch took for a tenant."""
        self._channel.send(Owed(tenant, device_ms))

    async def _live(self) -> None:
        """Give signs of life until the end, which say how the device is."""
        told, next_s = None, 0.0
        loop = asyncio.get_running_loop()
        while not self.ended.done():
            state = self._state()
            if state.is_ready != (told and told.is_ready) or loop.time() >= next_s:
                self._channel.send(state)
                told, next_s = state, loop.time() + SIGN_OF_LIFE_S
            await asyncio.wait({self.ended}, timeout=_LOOK_EVERY_S)

    def _state(self) -> State:
        device = self._device
        return (
            State(False, 0.0) if device is None else State(device.is_ready(), device.backlog_ms())
        )

    def _take_early(self) -> None:
        early, self._early = self._early or [], None
        for ask in early:
            self._begin(ask)

    def _receive(self, message: Ask | Cancel) -> None:
        if isinstance(message, Cancel):
            if self._early:
                self._early = [ask for ask in self._early if ask.number != message.number]
            if message.number in self._tasks:
                self._tasks[message.number].cancel()
        elif self._early is not None:
            self._early.append(message)
        else:
            self._begin(message)

    def _begin(self, ask: Ask) -> None:
        task = self._tasks[ask.number] = asyncio.ensure_future(self._answer(ask))
        task.add_done_callback(lambda _: self._tasks.pop(ask.number))

    async def _answer(self, ask: Ask) -> None:
        value, error = None, self._failure
        try:
            if error is None:
                value = await self._call(ask)
        except (ServiceError, ConfigurationError, FileWanted) as raised:
            error = raised
        except Exception:  # the process's edge: nothing may pass it
            logger.exception("the call %s failed", ask.method)
            error = InferenceError("the engine failed")
        backlog_ms = self._state().backlog_ms
        try:
            self._channel.send(Answer(ask.number, value, error, backlog_ms))
        except Exception:  # the caller must not wait for ever
            logger.exception("the answer of %s could not be sent", ask.method)
            error = InferenceError("the engine's answer could not be sent")
            self._channel.send(Answer(ask.number, None, error, backlog_ms))

    async def _call(self, ask: Ask) -> Any:
        if ask.method == "metrics":
            assert self._telemetry is not None, "it came with the device"
            return tuple(self._telemetry.registry.collect())
        return await getattr(self._device, ask.method)(*ask.arguments)

    def _lost(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
