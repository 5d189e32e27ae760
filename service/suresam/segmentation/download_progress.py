"""How far a download is: a bar on a terminal, plain lines elsewhere."""

import sys
from types import TracebackType
from typing import NoReturn, TextIO

from tqdm import tqdm

_LINES = 10  # plain lines for a whole file


class DownloadProgress:
    """Counts the bytes of one file and tells the user.

    Use it as a context manager; `begin` may be called again when a transfer resumes or restarts.

    Args:
        label: what is being fetched.
        stream: where to write; standard error by default, so that output can be piped.
    """

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._bar: tqdm[NoReturn] | None = None
        self._done = 0
        self._total: int | None = None
        self._lines_written = 0

    def __enter__(self) -> "DownloadProgress":
        """Nothing is shown before `begin`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal on a line of its own."""
        if self._bar is not None:
            self._bar.close()

    def begin(self, done: int, total: int | None) -> None:
        """Say where the transfer starts.

        Args:
            done: bytes that are there already.
            total: bytes of the whole file, or None if the server does not say.
        """
        self._done, self._total = done, total
        if not self._stream.isatty():
            size = "unknown size" if total is None else f"{total / 1e6:.1f} MB"
            self.note(f"{size}, starting at {done / 1e6:.1f} MB")
            self._lines_written = self._lines_due()
            return
        if self._bar is None:
            self._bar = tqdm(desc=self._label, unit="B", unit_scale=True, file=self._stream)
        self._bar.total = total
        self._bar.n = self._bar.initial = done
        self._bar.refresh()

    def advance(self, num_bytes: int) -> None:
        """Count bytes that have arrived."""
        self._done += num_bytes
        if self._bar is not None:
            self._bar.update(num_bytes)
        elif (due := self._lines_due()) > self._lines_written:
            self._lines_written = due
            self.note(f"{100 * due // _LINES} %")

    def _lines_due(self) -> int:
        return self._done * _LINES // self._total if self._total else 0

    def note(self, message: str) -> None:
        """Write a line without disturbing the bar."""
        tqdm.write(f"{self._label}: {message}", file=self._stream)
