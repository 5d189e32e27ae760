"""What one request still needs of the device."""

from collections import Counter

from suresam.engine.backlog import Backlog, Rows


class Work:
    """The rows of a request, each in the backlog until it is done. Used by the event loop alone.

    Args:
        backlog: of all requests.
        rows: of this one.
    """

    def __init__(self, backlog: Backlog, rows: Rows) -> None:
        self._backlog = backlog
        self._left = +Counter(rows)
        backlog.add(self._left)

    def done(self, rows: Rows) -> None:
        """Nobody has to wait for these any more. Of more than are left, only those that are."""
        gone = self._left & Counter(rows)
        self._left -= gone
        self._backlog.remove(gone)

    def give_up(self) -> None:
        """Nor for all the others."""
        self.done(self._left)
