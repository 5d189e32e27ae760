"""How much may go to larger members, and who gets it: an online controller."""

from bisect import bisect_left, bisect_right, insort
from collections import deque

_WINDOW = 250
"""Requests whose expected gains are compared with a new one's."""

_CREDIT = 8.0
"""Requests by which the share may be under or over at any time; nothing more is carried on."""


class ShareBudget:
    """Keeps the share of escalated requests at a target and gives it to those that gain most.

    A request passes if its gain is among the best of the last 250, so many of them as the share
    allows, a few more or less by how far the share is missed so far. What is missed is bounded to
    eight requests both ways: after a time without anybody worth it there is no flood, and in a
    burst no more than eight requests go ahead of their turn. So over any 500 requests the share is
    kept within 2 points, as long as enough of them are worth it.

    Source: the correction by the running error is that of adaptive conformal inference, Gibbs and
    Candes (2021), equation 2, with a bounded integral.

    Args:
        share: of all requests, 0 to 1; 1 lets everybody pass.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []
        self._credit = 0.0

    def passes(self, gain: float, is_wanted: bool) -> bool:
        """Whether a request may be escalated. To be asked once about every request.

        Args:
            gain: expected, in IoU; infinite where it must be.
            is_wanted: whether it would be escalated if there were no budget.
        """
        if not 0 < self._share < 1:
            return is_wanted and self._share > 0
        is_covered = self._credit + self._share - 1 >= -_CREDIT
        may = is_wanted and is_covered and self._is_among_the_best(gain)
        self._remember(gain)
        self._credit += self._share - may
        self._credit = min(max(self._credit, -_CREDIT), _CREDIT)
        return may

    def _is_among_the_best(self, gain: float) -> bool:
        better = len(self._sorted) - bisect_right(self._sorted, gain)
        # Halfway to its bound the error has moved the bar to everybody or to nobody.
        room = 1 - self._share if self._credit > 0 else self._share
        allowed = self._share + room * self._credit / (_CREDIT / 2)
        return better <= allowed * len(self._sorted)

    def _remember(self, gain: float) -> None:
        insort(self._sorted, gain)
        self._recent.append(gain)
        if len(self._recent) > _WINDOW:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]
