"""Waiting for what a running service does, without sleeping for it."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from suresam.app.running import RunningService
from suresam.domain import Point, Prompt
from suresam.segmentation.fake import FakeBackbone

CLICK = Prompt(points=(Point(30, 20),))

_PATIENCE_S = 60.0
"""For what must come to hold: long, since only a test that fails waits for so long."""


class Turnstile:
    """A gate for `FakeBackbone` that can also let single launches through."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_open = True
        self._num_let = 0

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_open or self._num_let > 0)
            if not self._is_open:
                self._num_let -= 1

    def set(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def clear(self) -> None:
        with self._changed:
            self._is_open, self._num_let = False, 0

    def let(self, count: int) -> None:
        """Let so many launches through."""
        with self._changed:
            self._num_let += count
            self._changed.notify_all()


def value(running: RunningService, name: str, **labels: str) -> float:
    """A metric's sample; 0 if there is none yet."""
    found = running.composition.telemetry.registry.get_sample_value(f"suresam_{name}", labels)
    return found or 0.0


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop turn until something holds."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to hold"
        await asyncio.sleep(0.001)


def wait_for(condition: Callable[[], object]) -> None:
    """Let other threads and processes go on until something holds."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.001)


async def waiting(
    running: RunningService, count: int, stage: str = "decode", model: str = "fake-small"
) -> None:
    """Wait until so many jobs wait for the device."""
    await until(lambda: value(running, "queue_depth", stage=stage, model=model) == count)


async def hold(fake: FakeBackbone, client: Any, session_id: str) -> "asyncio.Task[Any]":
    """Send a click and keep the device standing inside its launch until the gate opens."""
    fake.gate.clear()
    fake.launches.clear()
    entered = fake.num_entered
    click = asyncio.create_task(client.segment_session(session_id, CLICK))
    await until(lambda: fake.num_entered > entered)
    return click


async def fence(client: Any, session_id: str) -> None:
    """Let requests go there and back, so that whatever was on its way before has arrived."""
    for _ in range(5):
        await client.get_session(session_id)


def rows(fake: FakeBackbone, stage: str = "decode") -> int:
    """How many rows the device has run since `launches` was cleared."""
    return sum(count for launched, count in fake.launches if launched == stage)
