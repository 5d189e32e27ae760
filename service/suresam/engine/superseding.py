"""A person who clicks again does not want the older click's answer any more."""

import asyncio
import contextlib
from collections.abc import Coroutine, Hashable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from suresam.errors import Superseded

T = TypeVar("T")


def superseded() -> Superseded:
    """What the older click's caller is told."""
    return Superseded("a newer request for the same prompt_id of this session came in")


class Click:
    """One prompt that is being answered, until a newer one of its key takes its place."""

    def __init__(self) -> None:
        self._notice: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reply: Future[Any] | None = None

    def watch(self, reply: "Future[Any]") -> None:
        """From here on the prompt is in the device's queue."""
        self._reply = reply

    def supersede(self) -> None:
        """Give way, unless the device is at it already."""
        is_launched = self._reply is not None and (self._reply.running() or self._reply.done())
        if not is_launched and not self._notice.done():
            self._notice.set_result(None)

    async def unless_superseded(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for work; it is cancelled when this click has to give way.

        Raises:
            Superseded
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._notice), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise superseded()
        finally:
            if not task.cancel() and not task.cancelled():
                task.exception()  # read, or it would be logged as forgotten where we are cancelled


class LatestClicks:
    """The newest click of every key. Used by the event loop alone."""

    def __init__(self) -> None:
        self._clicks: dict[Hashable, Click] = {}

    def __contains__(self, key: Hashable) -> bool:
        """Whether there is a click in progress that nobody has taken the place of."""
        return key in self._clicks

    @contextlib.contextmanager
    def newest(self, key: Hashable) -> Iterator[Click]:
        """Take the place of the key's older click, for the length of a `with` block."""
        older = self._clicks.get(key)
        click = self._clicks[key] = Click()
        if older is not None:
            older.supersede()
        try:
            yield click
        finally:
            if self._clicks.get(key) is click:
                del self._clicks[key]
