"""How far a service has come in stopping, as those see it who read from clients and answer them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from suresam.api.messages import Message, next_message
from suresam.cancellation import is_cancelled_by_others
from suresam.errors import ShuttingDown


class Closing:
    """Counts the requests that are being answered, and ends what clients have begun and not
    finished. Used by the event loop alone.

    Attributes:
        has_begun: whether the service stops: clients are told to take another connection.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._num_open = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_reading_over = False
        self._readers: set[asyncio.Task[object]] = set()
        self._stopped: set[asyncio.Task[object]] = set()

    def begin(self) -> None:
        """The service stops."""
        self.has_begun = True

    @contextlib.contextmanager
    def exchange(self) -> Iterator[None]:
        """A request and its answer, for the length of a `with` block."""
        self._num_open += 1
        self._is_empty.clear()
        try:
            yield
        finally:
            self._num_open -= 1
            if self._num_open == 0:
                self._is_empty.set()

    async def wait_answered(self, wait_s: float) -> None:
        """Wait at most `wait_s` seconds until no request is being answered."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._is_empty.wait(), wait_s)

    def end_reading(self) -> None:
        """Whatever has not arrived by now is refused."""
        self._is_reading_over = True
        for task in self._readers:
            self._stopped.add(task)
            task.cancel()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Wait for a client, for the length of a `with` block.

        Raises:
            ShuttingDown: what was waited for did not come before `end_reading`.
        """
        task = asyncio.current_task()
        assert task is not None, "clients are waited for in tasks"
        if self._is_reading_over:
            raise _too_late()
        self._readers.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._stopped or is_cancelled_by_others(task):
                raise
            raise _too_late() from None
        finally:
            self._readers.discard(task)
            self._stopped.discard(task)

    async def messages(self, stream: AsyncIterator[Message]) -> AsyncGenerator[Message, None]:
        """The messages of a stream.

        Raises:
            ShuttingDown: it had not ended before `end_reading`.
        """
        while True:
            with self.reading():
                message = await next_message(stream)
            if message is None:
                return
            yield message


def _too_late() -> ShuttingDown:
    return ShuttingDown("the server is stopping, and not all of this had arrived")
