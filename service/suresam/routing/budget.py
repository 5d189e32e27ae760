"""How much may go to larger members, and who gets it: an online controller."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass
from typing import Literal

_WINDOW = 250
"""Requests with which a new one is compared."""

_CREDIT = 8.0
"""Requests by which the share may be under or over at any time; nothing more is carried on."""

Unit = Literal["requests", "device_time"]
"""What a share is a part of."""


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """What an operator grants to larger members.

    Attributes:
        share: 0 to 1; 1 lets everybody pass.
        unit: a part of the requests, or of the device's time that they take.
    """

    share: float = 1.0
    unit: Unit = "requests"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a budget has to know of one request.

    Attributes:
        gain: that a larger member is expected to bring, in IoU; infinite where it must be asked.
        price_ms: device milliseconds that it is expected to take.
        spent_ms: device milliseconds that the smaller one has taken.
    """

    gain: float
    price_ms: float
    spent_ms: float


_Entry = tuple[float, float, float]
"""What a request is worth for its price, the price, and what its request adds to the budget."""


class Budget:
    """Keeps what larger members get at a share and gives it to the requests most worth it.

    A request passes if it is among the best of the last 250 (by gain; where device time is shared
    out, by gain for each millisecond), so many of them as the share pays for, a few more or less by
    how far the share is missed so far. What is missed is bounded both ways to what eight requests
    add, or to one escalation where that is more: after a time without anybody worth it there is no
    flood, and in a burst no more than that goes ahead of its turn. So over any 500 requests the
    share is kept within 2 points, as long as enough of them are worth it and one escalation alone
    is not more than that.

    Source: the correction by the running error is that of adaptive conformal inference, Gibbs and
    Candes (2021), equation 2, with a bounded integral.

    Args:
        terms: of the operator.
    """

    def __init__(self, terms: BudgetTerms) -> None:
        self._is_time = terms.unit == "device_time"
        share = terms.share
        self._is_free = share >= 1
        # Of time, larger members get so much for each millisecond of the smaller one's.
        self._rate = share / (1 - share) if self._is_time and not self._is_free else share
        self._recent: deque[_Entry] = deque()
        self._by_worth: list[_Entry] = []
        self._by_price: list[float] = []
        self._prices = self._weights = 0.0
        self._credit = 0.0

    def admits(self, claim: Claim) -> bool:
        """Whether a request may be escalated, as things stand."""
        if self._is_free or self._rate <= 0:
            return self._is_free
        worth, price, weight = self._entry(claim)
        if self._credit + self._rate * weight - price < -self._bound(price, weight):
            return False
        better = self._by_worth[bisect_right(self._by_worth, (worth, math.inf, math.inf)) :]
        return sum(price for _, price, _ in better) <= self._allowed()

    def count(self, claim: Claim, is_escalated: bool) -> None:
        """Take note of a request. To be told once about every one, escalated or not."""
        entry = self._entry(claim)
        _, price, weight = entry
        insort(self._by_worth, entry)
        insort(self._by_price, price)
        self._recent.append(entry)
        self._prices += price
        self._weights += weight
        if len(self._recent) > _WINDOW:
            self._forget(self._recent.popleft())
        self._credit += self._rate * weight - price * is_escalated
        self._credit = min(self._credit, self._bound())

    def settle(self, price_ms: float, spent_ms: float) -> None:
        """Put what an escalation has taken of the device in the place of its price."""
        if self._is_time:
            self._credit += price_ms - spent_ms

    def _forget(self, entry: _Entry) -> None:
        del self._by_worth[bisect_left(self._by_worth, entry)]
        del self._by_price[bisect_left(self._by_price, entry[1])]
        self._prices -= entry[1]
        self._weights -= entry[2]

    def _entry(self, claim: Claim) -> _Entry:
        if not self._is_time:
            return claim.gain, 1.0, 1.0
        worth = claim.gain / claim.price_ms if claim.price_ms > 0 else math.inf
        return worth, claim.price_ms, claim.spent_ms

    def _bound(self, price: float = 0.0, weight: float = 0.0) -> float:
        """How far the credit may be from nothing."""
        mean_weight = self._weights / len(self._recent) if self._recent else weight
        dearest = self._by_price[-1] if self._by_price else price
        return max(_CREDIT * mean_weight, dearest, price)

    def _allowed(self) -> float:
        """What the best of the recent ones may have cost together."""
        # Halfway to its bound the error has moved the bar to everybody or to nobody.
        error = 2 * self._credit / bound if (bound := self._bound()) > 0 else 0.0
        granted = self._rate * self._weights
        room = max(self._prices - granted, 0.0) if error > 0 else granted
        return granted + room * error
