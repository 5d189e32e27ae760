"""Engines round fake devices, in the test's own process or in one of theirs."""

import asyncio
import io
import multiprocessing
import time
from collections.abc import Iterator, Sequence

from device import until
from PIL import Image

from suresam.domain import Point, Prompt
from suresam.engine.client import CreateSessionCall, SegmentCall, SegmentReply
from suresam.engine.frontend import Frontend
from suresam.engine.local import Member
from suresam.segmentation.fake import FakeBackbone

_STAGES = ("encode", "decode")
_MOST_LAUNCHES = 1000


class SharedLaunches:
    """A list of (stage, rows) that two processes see."""

    def __init__(self, context: multiprocessing.context.BaseContext) -> None:
        self._lock = context.Lock()
        self._entries = context.RawArray("i", 2 * _MOST_LAUNCHES)
        self._count = context.RawValue("i", 0)

    def append(self, launch: tuple[str, int]) -> None:
        with self._lock:
            at = 2 * self._count.value
            self._entries[at : at + 2] = [_STAGES.index(launch[0]), launch[1]]
            self._count.value += 1

    def clear(self) -> None:
        with self._lock:
            self._count.value = 0

    def count(self, launch: tuple[str, int]) -> int:
        return list(self).count(launch)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        with self._lock:
            taken = self._entries[: 2 * self._count.value]
        return iter(
            [(_STAGES[stage], rows) for stage, rows in zip(taken[::2], taken[1::2], strict=True)]
        )

    def __eq__(self, other: object) -> bool:
        return list(self) == other

    def __repr__(self) -> str:
        return repr(list(self))


class SharedGate:
    """A gate between two processes. It is polled: one who waits at it may be killed."""

    def __init__(self, context: multiprocessing.context.BaseContext) -> None:
        self._is_open = context.RawValue("i", 1)

    def set(self) -> None:
        self._is_open.value = 1

    def clear(self) -> None:
        self._is_open.value = 0

    def wait(self) -> None:
        while not self._is_open.value:
            time.sleep(0.001)


class SharedFake(FakeBackbone):
    """A fake device in another process, whose gate and records are here as well."""

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("forkserver")
        self._entered = context.RawValue("i", 0)
        super().__init__(name, gate=SharedGate(context), launches=SharedLaunches(context))

    @property
    def num_entered(self) -> int:
        return self._entered.value

    @num_entered.setter
    def num_entered(self, count: int) -> None:
        self._entered.value = count


def members_of(backbones: Sequence[FakeBackbone]) -> list[Member]:
    """The first as small, the last as large."""
    roles = [("small",), *[() for _ in backbones[1:-1]], ("large",)][: len(backbones)]
    return [
        Member(backbone, role, "0" * 64, "none")
        for backbone, role in zip(backbones, roles, strict=True)
    ]


LONG_MS = 60_000


def photo(red: int = 10, size: tuple[int, int] = (8, 6)) -> bytes:
    """An image file of one colour; the red value is what the fake device sees."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def click(*xs: float) -> tuple[Prompt, ...]:
    return tuple(Prompt(points=[Point(x, 1)]) for x in xs)


def named(prompt_id: str | None, x: float = 1) -> Prompt:
    return Prompt(points=[Point(x, 1)], prompt_id=prompt_id)


CALL = SegmentCall("t", "fake-small", click(1), LONG_MS, image=photo())
CREATE = CreateSessionCall("t", "fake-small", (photo(1), photo(2)), LONG_MS, "s")
ON_SESSION = SegmentCall("t", "fake-small", click(1), LONG_MS, session_id="s")


async def held(
    engine: Frontend, backbone: FakeBackbone, call: SegmentCall = CALL
) -> "asyncio.Task[SegmentReply]":
    """A call whose launch stands on the device until the gate opens."""
    backbone.gate.clear()
    entered = backbone.num_entered
    front = asyncio.create_task(engine.segment(call))
    await until(lambda: backbone.num_entered > entered)
    return front
