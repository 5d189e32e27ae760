"""Stopping a training when somebody asks: SIGTERM from a scheduler, Ctrl-C from a person."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):
    """Somebody asked to stop, and it was done at once.

    Like `KeyboardInterrupt` no `Exception`, as it may be raised inside any library.
    """


class StopRequests:
    """Context in which SIGTERM and SIGINT no longer end the process.

    The first one raises `Stopped` in the main thread, or inside `noted` is only kept in mind.
    Later ones do nothing, so that they do not spoil the saving.
    """

    def __init__(self) -> None:
        self.is_wanted = False
        self._is_noted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequests":
        self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within, a request only sets `is_wanted`, for work that looks at it by itself."""
        self._is_noted = True
        try:
            yield
        finally:
            self._is_noted = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        is_first, self.is_wanted = not self.is_wanted, True
        if is_first and not self._is_noted:
            raise Stopped
