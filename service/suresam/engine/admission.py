"""Which work may be done: not what would come too late, and how those outside are answered."""

import contextlib
import random
from collections.abc import Iterator

from suresam.engine.backlog import Backlog, Rows
from suresam.engine.work import Work
from suresam.errors import Overloaded
from suresam.telemetry import Telemetry

_SHORTEST_RETRY_S = 0.1
_DEVICE_SHARE = 0.8
"""Of the time until the deadline, what the device may need. The rest is for reading and writing."""

_RETRY_SPREAD = 0.2
"""Part by which waits are lengthened at random, so that those sent away do not return as one."""


class Admission:
    """Weighs new work against the work in progress. Used by the event loop alone.

    Args:
        backlog: work in progress.
        telemetry: counts refusals.
    """

    def __init__(self, backlog: Backlog, telemetry: Telemetry) -> None:
        self._backlog = backlog
        self._telemetry = telemetry

    @contextlib.contextmanager
    def work(self, tenant: str, rows: Rows, remaining_ms: float) -> Iterator[Work]:
        """The right to use the device, for the length of a `with` block.

        Work that cannot be done in time, behind what was let in before, is refused at once: it
        would cost the device and help nobody. Who is next may try, whatever the cost table says:
        a table that turned everybody away would never be corrected.

        Args:
            tenant: whose work it is; nobody waits for all that another tenant has asked.
            rows: how many, by stage and model.
            remaining_ms: until the caller's deadline.

        Raises:
            Overloaded: with the time after which the same request would be let in.
        """
        wait_ms, own_ms = self._backlog.wait_ms(tenant, rows), self._backlog.own_ms(rows)
        most_ms = _DEVICE_SHARE * remaining_ms
        if rows and wait_ms + own_ms > most_ms and not self._backlog.is_next(rows):
            self._telemetry.rejected.labels("wait").inc()
            raise Overloaded(
                f"the answer would take {wait_ms + own_ms:.0f} ms, {wait_ms:.0f} ms of them "
                f"waiting for others (until the deadline {max(remaining_ms, 0):.0f} ms)",
                retry_after_s=retry_s(wait_ms + own_ms - most_ms),
            )
        work = Work(self._backlog, tenant, rows)
        try:
            yield work
        finally:
            work.give_up()


def retry_s(wait_ms: float) -> float:
    """Seconds to tell one who is sent away, a little more for some than for others."""
    spread = 1 + _RETRY_SPREAD * random.random()  # noqa: S311  (no secret)
    return max(_SHORTEST_RETRY_S, wait_ms / 1000) * spread
