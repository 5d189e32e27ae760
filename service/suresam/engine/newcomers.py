"""Pictures that clicks will follow, and when there are clicks enough."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from suresam.engine.admission import retry_s
from suresam.errors import Overloaded
from suresam.telemetry import Telemetry

_MEMORY_S = 0.5
"""For which a click counts, in the mean."""

_SHORTEST_MS = 100.0
"""Clicks with less time than this say nothing: on most devices nobody could meet it."""

_FEW_REFUSED = 3.0
_MOST_REFUSED = 0.1
"""Clicks of a tenant, and their share of all, that may be refused where all of its pictures are let
in. One click alone may have had a deadline that nobody could meet."""

_ONE_IN = 10
"""Of the pictures that come while more are refused, one in so many is let in all the same."""


@dataclass(slots=True)
class _Clicks:
    """A tenant's last clicks, each of which counts for less from moment to moment.

    Attributes:
        asked: all.
        refused: of them.
        at: monotonic seconds up to which both have faded.
        num_sent_away: pictures since the last one that was let in.
    """

    asked: float = 0.0
    refused: float = 0.0
    at: float = -math.inf
    num_sent_away: int = 0

    def share_refused(self) -> float:
        # One may have been asked so long before it was refused that it counts for less than that.
        return min(1.0, self.refused / self.asked) if self.asked else 0.0

    def fade(self, now: float) -> None:
        weight = math.exp((self.at - now) / _MEMORY_S)
        self.asked *= weight
        self.refused *= weight
        self.at = now


class Newcomers:
    """Keeps a tenant's pictures out of sessions while its clicks are refused for want of time.

    Each would bring more clicks, and whoever sent it would be let in only to be sent away click by
    click. So who works on a picture goes on, and the others are told at the door. Clicks without
    end do not keep all others out: one request with pictures in ten comes in even then. Tenants are
    apart, but all who share a key, or have none, share a door.

    Used by the event loop alone.

    Args:
        telemetry: counts refusals.
        clock: monotonic seconds.

    Source: Cherkasova and Phaal (2002), "Session-Based Admission Control: A Mechanism for Peak Load
    Management of Commercial Web Sites".
    """

    def __init__(self, telemetry: Telemetry, clock: Callable[[], float] = time.monotonic) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._clicks: dict[str, _Clicks] = {}

    @contextlib.contextmanager
    def clicking(self, tenant: str, remaining_ms: float) -> Iterator[None]:
        """A click on a session, for the length of a `with` block.

        Args:
            tenant: whose.
            remaining_ms: until its deadline.
        """
        if remaining_ms < _SHORTEST_MS:
            yield
            return
        clicks = self._clicks.setdefault(tenant, _Clicks())
        clicks.fade(self._clock())
        clicks.asked += 1
        try:
            yield
        except Overloaded:
            clicks.fade(self._clock())
            clicks.refused += 1
            raise

    def let_in(self, tenant: str) -> None:
        """Let a picture into a session.

        Raises:
            Overloaded: the tenant's clicks are more than can be answered in time.
        """
        clicks = self._clicks.get(tenant)
        if clicks is None:
            return
        clicks.fade(self._clock())
        share = clicks.share_refused()
        is_crowded = clicks.refused > _FEW_REFUSED and share > _MOST_REFUSED
        if not is_crowded or clicks.num_sent_away == _ONE_IN - 1:
            clicks.num_sent_away = 0
            return
        clicks.num_sent_away += 1
        self._telemetry.rejected.labels("crowd").inc()
        raise Overloaded(
            f"{share:.0%} of your last clicks were refused for want of time, and another picture "
            f"would bring more (pictures for sessions are let in up to {_MOST_REFUSED:.0%})",
            # When so few of them count that nobody is kept out, if no more are refused.
            retry_after_s=retry_s(_MEMORY_S * 1000 * math.log(clicks.refused / _FEW_REFUSED)),
        )
