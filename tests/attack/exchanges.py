"""What became of requests that clients sent while a service was told to stop."""

import time
from collections import Counter
from dataclasses import dataclass, field

ANSWERED, REFUSED, LOST = "answered", "refused", "lost"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request.

    Attributes:
        kind: of client.
        sent_at: monotonic seconds when all of it had been handed over.
        outcome: answered whole, refused whole, or lost.
        why: the code of a refusal, or how it was lost.
    """

    kind: str
    sent_at: float
    outcome: str
    why: str = ""


@dataclass(slots=True)
class Exchanges:
    """All of them. Used by one event loop.

    Attributes:
        is_over: whether clients should leave.
    """

    found: list[Exchange] = field(default_factory=list)
    is_over: bool = False

    def answered(self, kind: str, sent_at: float) -> None:
        """With masks."""
        self.found.append(Exchange(kind, sent_at, ANSWERED))

    def refused(self, kind: str, sent_at: float, code: str) -> None:
        """With a code and a time to come back."""
        self.found.append(Exchange(kind, sent_at, REFUSED, code))

    def lost(self, kind: str, sent_at: float, why: str) -> None:
        """Without a whole answer, or with one that is no masks and no refusal."""
        self.found.append(Exchange(kind, sent_at, LOST, why))

    def kinds_answered(self) -> set[str]:
        """Kinds of clients that had an answer already."""
        return {one.kind for one in self.found if one.outcome == ANSWERED}

    def before(self, moment: float) -> "list[Exchange]":
        """Those that were sent before a moment, monotonic seconds."""
        return [one for one in self.found if one.sent_at < moment]


def count(exchanges: list[Exchange]) -> Counter[str]:
    """How many had which outcome."""
    return Counter(one.outcome for one in exchanges)


now = time.monotonic
