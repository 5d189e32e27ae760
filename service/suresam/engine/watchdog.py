"""Sees to it that a launch that hangs, or a device that is lost, holds nobody for ever."""

import asyncio
import logging
from collections.abc import Callable

from suresam.engine.running import Running
from suresam.engine.worker import Worker

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25
"""How often the worker is looked after."""

_PATIENCE = 20
"""How many times as long as expected a launch may take."""


class Watchdog:
    """Looks after one worker. Used by the event loop alone.

    Args:
        worker: of the device.
        launch_timeout_s: for which a launch may be on the device, and longer if it is expected to.
        leave: called when the device is lost, or its thread hangs, where the process is another's
            to replace; None where a thread that hangs is replaced.
    """

    def __init__(
        self, worker: Worker, launch_timeout_s: float, leave: Callable[[str], None] | None
    ) -> None:
        self._worker = worker
        self._launch_timeout_s = launch_timeout_s
        self._leave = leave
        self._lost = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._watching = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()

    async def wait_lost(self) -> None:
        """Return when the device can be used no more from this process."""
        await self._lost.wait()

    async def _watch(self) -> None:
        period_s = min(_LOOK_EVERY_S, self._launch_timeout_s / 4)
        seen, took_s = None, 0.0
        while not self._worker.is_lost:
            await asyncio.sleep(period_s)
            # In turns and not by the clock, which goes on while the whole process is frozen.
            running = self._worker.running()
            took_s = took_s + period_s if running is not None and running is seen else 0.0
            seen = running
            if running is not None and took_s > self._timeout_s(running):
                self._give_up(running, f"a launch did not come back within {took_s:.1f} s")
        if self._leave is not None:
            self._leave("the device is lost")
        self._lost.set()

    def _timeout_s(self, running: Running) -> float:
        return max(self._launch_timeout_s, _PATIENCE * running.expected_ms / 1000)

    def _give_up(self, running: Running, reason: str) -> None:
        logger.error("%s", reason)
        if self._leave is None:
            self._worker.replace(running, reason)
        else:
            self._leave(reason)
