"""What a phase's exchanges add up to: latencies, goodput, errors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from suresam.benchmarks.serve.exchange import (
    HUNG_UP,
    NO_ERRORS,
    NO_SESSION,
    OK,
    Exchange,
    ExchangeKind,
)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds that 50, 95 and 99 of 100 do not exceed; None of nothing."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest of the values that `percent` of 100 do not exceed; None of nothing."""
    if not values:
        return None
    return float(np.percentile(values, percent, method="inverted_cdf"))


def percentiles(values_ms: Sequence[float]) -> Percentiles:
    """Of milliseconds."""
    p50, p95, p99 = (percentile(values_ms, percent) for percent in (50, 95, 99))
    return Percentiles(len(values_ms), p50, p95, p99)


@dataclass(frozen=True, slots=True)
class Goodput:
    """Clicks answered OK within the goal.

    Attributes:
        offered: clicks that waited for their answer, also those that could not be sent.
        answered: of them, how many got masks, however late.
        good: of them, how many in time.
        seconds: in which they were to be sent.
    """

    offered: int
    answered: int
    good: int
    seconds: float

    @property
    def share(self) -> float | None:
        """Good clicks of all offered; None of nothing."""
        return self.good / self.offered if self.offered else None

    @property
    def per_s(self) -> float:
        """Good clicks a second."""
        return self.good / self.seconds


@dataclass(frozen=True, slots=True)
class Errors:
    """Requests that ended with one error code.

    Attributes:
        code: of the server, or of the generator where none answered.
        took: how long it took to learn of it, from sending.
        retry_after: how many answers said when to come back.
    """

    code: str
    took: Percentiles
    retry_after: int


@dataclass(frozen=True, slots=True)
class Measurements:
    """Of one phase.

    Attributes:
        goodput: of clicks.
        good_requests: clicks, uploads and one-shots that were answered OK within the goal.
        clicks, uploads, one_shots: latencies of those answered OK, from the intended time. A
            one-shot carries its picture; it is sent when the one before it is answered.
        errors: by code, most frequent first; of every kind of request.
        hung_up: clicks whose visitor left before the answer.
        no_session: clicks not sent because their upload had failed.
    """

    goodput: Goodput
    good_requests: int
    clicks: Percentiles
    uploads: Percentiles
    one_shots: Percentiles
    errors: tuple[Errors, ...]
    hung_up: int
    no_session: int


def measure(exchanges: Iterable[Exchange], seconds: float, goal_ms: float) -> Measurements:
    """Add up a phase.

    Args:
        exchanges: all of the phase.
        seconds: its length.
        goal_ms: what is answered OK in at most so many milliseconds is good.
    """
    asked = list(exchanges)
    clicks = [exchange for exchange in asked if exchange.kind == "click"]
    answered = _latencies_ms(clicks, "click")
    uploads, one_shots = _latencies_ms(asked, "upload"), _latencies_ms(asked, "one_shot")
    return Measurements(
        goodput=Goodput(
            offered=len(clicks),
            answered=len(answered),
            good=sum(latency <= goal_ms for latency in answered),
            seconds=seconds,
        ),
        good_requests=sum(ms <= goal_ms for ms in (*answered, *uploads, *one_shots)),
        clicks=percentiles(answered),
        uploads=percentiles(uploads),
        one_shots=percentiles(one_shots),
        errors=_errors(asked),
        hung_up=sum(exchange.code == HUNG_UP for exchange in asked),
        no_session=sum(exchange.code == NO_SESSION for exchange in asked),
    )


def _latencies_ms(exchanges: Iterable[Exchange], kind: ExchangeKind) -> list[float]:
    return [e.latency_ms for e in exchanges if e.kind == kind and e.code == OK]


def _errors(exchanges: Sequence[Exchange]) -> tuple[Errors, ...]:
    by_code: dict[str, list[Exchange]] = {}
    for exchange in exchanges:
        if exchange.code not in NO_ERRORS:
            by_code.setdefault(exchange.code, []).append(exchange)
    return tuple(
        Errors(
            code,
            percentiles([exchange.answer_ms for exchange in group]),
            sum(exchange.has_retry_after for exchange in group),
        )
        for code, group in sorted(by_code.items(), key=lambda item: -len(item[1]))
    )
