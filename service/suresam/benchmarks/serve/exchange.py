"""What became of one request."""

from dataclasses import dataclass
from typing import Literal

from suresam.benchmarks.serve.aim import Aim
from suresam.domain import Rle
from suresam.errors import NotReady, Overloaded, RateLimited, ShuttingDown

ExchangeKind = Literal["click", "upload", "one_shot", "cancelled_click", "slow_upload"]

OK = "ok"
HUNG_UP = "hung_up"
TIMEOUT = "generator_timeout"
UNREACHABLE = "unreachable"
NO_SESSION = "no_session"
MALFORMED = "malformed"
"""Codes of the generator's own, beside those that a server answers with: we left before the
answer, gave up waiting for it, had no connection, had nothing to click on because the upload had
failed (such a click is never sent), or got an answer that is not of the documented form."""

NO_ERRORS = (OK, HUNG_UP, NO_SESSION)

REFUSALS = (
    Overloaded.code,
    RateLimited.code,
    NotReady.code,
    ShuttingDown.code,
    "http_429",
    "http_503",
)
"""Codes that tell a visitor to come back later, ours and those of any other server."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Who answered a click and why, as its answer says.

    Attributes:
        model: name of the member.
        is_escalated: whether a larger one was asked, and answered.
        reason: one of `routing.policy.REASONS`.
        spent_ms: device milliseconds of the answer.
    """

    model: str
    is_escalated: bool
    reason: str
    spent_ms: float


@dataclass(frozen=True, slots=True)
class Reply:
    """How a server answered.

    Attributes:
        code: `OK`, the stable code of an error, or one of the generator's own.
        received_s: when it came, by the event loop's clock.
        has_retry_after: whether it said when to come back.
        session_id: of an upload.
        receipt: of a click over REST, if the server gives any.
        mask: its best one, likewise.
    """

    code: str
    received_s: float
    has_retry_after: bool = False
    session_id: str | None = None
    receipt: Receipt | None = None
    mask: Rle | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a phase, in seconds since the phase began.

    Attributes:
        kind: what was asked.
        intended_s: when it was to be sent.
        sent_s: when it was, with its last byte; later if the generator lagged, or if a click had to
            wait for its upload. Not sent at all: the time at which that was clear.
        done_s: when the answer was there.
        code, has_retry_after, receipt: as in `Reply`.
        aim: of a click that was sent.
        mask: as in `Reply`, kept where the aim has a truth that it can be compared with.
    """

    kind: ExchangeKind
    intended_s: float
    sent_s: float
    done_s: float
    code: str
    has_retry_after: bool = False
    receipt: Receipt | None = None
    aim: Aim | None = None
    mask: Rle | None = None

    @property
    def latency_ms(self) -> float:
        """Milliseconds from the intended time, so that a queue in front of us counts, too."""
        return (self.done_s - self.intended_s) * 1000

    @property
    def answer_ms(self) -> float:
        """Milliseconds from the time it was sent."""
        return (self.done_s - self.sent_s) * 1000
