"""What one request still needs of the device."""

from suresam.engine.backlog import Backlog, Rows


class Work:
    """The rows of a request, each in the backlog until it is done. Used by the event loop alone.

    Args:
        backlog: of all requests.
        tenant: whose this one is.
        rows: of this one.
    """

    def __init__(self, backlog: Backlog, tenant: str, rows: Rows) -> None:
        self._backlog = backlog
        self._tenant = tenant
        self._left = {key: count for key, count in rows.items() if count}
        if self._left:
            backlog.add(tenant, self._left)

    def done(self, rows: Rows) -> None:
        """Nobody has to wait for these any more. Of more than are left, only those that are."""
        gone = {key: min(count, rows.get(key, 0)) for key, count in self._left.items()}
        self._left = {key: n - gone[key] for key, n in self._left.items() if n > gone[key]}
        if gone:
            self._backlog.remove(self._tenant, gone)

    def give_up(self) -> None:
        """Nor for all the others."""
        self.done(self._left)
