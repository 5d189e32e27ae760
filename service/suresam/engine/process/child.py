"""One child process, from its start to its end, and the calls that wait for it."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prometheus_client import Metric

from suresam.engine.black_box import Memory
from suresam.engine.device import Charge
from suresam.engine.limits import EngineLimits
from suresam.engine.process import host
from suresam.engine.process.channel import Channel, socket_pair
from suresam.engine.process.messages import Answer, Ask, Cancel, Owed, State
from suresam.errors import WorkerFailed

if TYPE_CHECKING:  # not on Windows
    from multiprocessing.context import ForkServerContext

logger = logging.getLogger(__name__)

_STOP_S = 5.0
"""For a child to end after its channel was closed."""

_FORK_SERVER_GONE = 255
"""What multiprocessing makes of the exit code when nobody is left who would know it."""


class Child:
    """A process that runs `host.run`. Used by the event loop alone.

    Args:
        context: starts processes.
        charge: is told what tenants owe.

    Attributes:
        state: as last heard.
        was_ready: whether it ever was.
        metrics: as last asked for.
    """

    def __init__(self, context: "ForkServerContext", charge: Charge | None = None) -> None:
        self._context = context
        self._charge = charge
        self.state = State(is_ready=False, backlog_ms=0.0)
        self.was_ready = False
        self.metrics: tuple[Metric, ...] = ()
        self._num_heard = 0
        self._starting: asyncio.Future[None] | None = None
        self._numbers = itertools.count()
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._gone = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    async def start(self, memory: Memory, build: host.Build, limits: EngineLimits) -> None:
        """Start it.

        Args:
            memory: of the black box.
            build: loads the models, there.
            limits: of the device.

        Raises:
            OSError, EOFError: it cannot be.
        """
        ours, its = socket_pair()
        self._channel = Channel(ours, self._receive, self._lost)
        self._process = self._context.Process(
            target=host.run, args=(its, memory, build, limits), name="engine", daemon=True
        )
        # The first start waits for a server process that imports torch.
        loop = asyncio.get_running_loop()
        self._starting = loop.run_in_executor(None, self._process.start)
        try:
            # Not to be called off: the process would be there, and nobody would know of it.
            await asyncio.shield(self._starting)
        finally:
            self._starting.add_done_callback(lambda _: its.close())

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method over there.

        Raises:
            ServiceError, ConfigurationError, FileWanted: what it raised.
            WorkerFailed: the process ended before it answered.
        """
        if self._gone.is_set():
            raise _failure()
        number = next(self._numbers)
        reply = self._calls[number] = asyncio.get_running_loop().create_future()
        try:
            self._channel.send(Ask(number, method, arguments))
            return await reply
        except asyncio.CancelledError:
            self._channel.send(Cancel(number))
            raise
        finally:
            self._calls.pop(number, None)

    async def wait_gone(self, silence_s: float) -> None:
        """Return when the process ended; one that is silent for so many seconds is killed.

        Until its first sign it has any time: it may have to import torch.
        """
        silent_s = 0.0
        while not self._gone.is_set():
            heard = self._num_heard
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._gone.wait(), host.SIGN_OF_LIFE_S)
            # In turns and not by the clock, which goes on while all of us are frozen.
            is_silent = heard == self._num_heard > 0
            silent_s = silent_s + host.SIGN_OF_LIFE_S if is_silent else 0.0
            if silent_s > silence_s + host.SIGN_OF_LIFE_S:
                logger.error("the engine process has been silent for %.0f s", silent_s)
                self._kill()
                return

    async def stop(self) -> int | None:
        """End it, by force if it does not go by itself.

        Returns:
            Its exit code; None if it never started.
        """
        self._lost()
        if self._starting is None:
            return None
        await asyncio.wait({self._starting})
        self._channel.close()
        if self._starting.exception() is not None:
            return None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._process.join, _STOP_S)
        code = self._process.exitcode
        if code in (None, _FORK_SERVER_GONE):
            self._kill()
            await loop.run_in_executor(None, self._process.join)
            code = self._process.exitcode
        self._process.close()
        return code

    def _kill(self) -> None:
        # Not `Process.kill`, which does nothing once the server process that forked it is gone.
        if self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def _receive(self, message: Answer | Owed | State) -> None:
        self._num_heard += 1
        if isinstance(message, Owed):
            if self._charge is not None:
                self._charge(message.tenant, message.device_ms)
            return
        if isinstance(message, State):
            self.state = message
            self.was_ready |= message.is_ready
            return
        self.state = replace(self.state, backlog_ms=message.backlog_ms)
        reply = self._calls.get(message.number)
        if reply is None or reply.done():  # cancelled meanwhile
            return
        if message.error is not None:
            reply.set_exception(message.error)
        else:
            reply.set_result(message.value)

    def _lost(self) -> None:
        self.state = State(is_ready=False, backlog_ms=0.0)
        self._gone.set()
        for reply in self._calls.values():
            if not reply.done():
                reply.set_exception(_failure())


def _failure() -> WorkerFailed:
    return WorkerFailed("the engine process ended; try again")
