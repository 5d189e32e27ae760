"""What a load and a mode delivered, and what mode auto adds to mode small. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from suresam.benchmarks.route.clicks import RoutedClick, answered
from suresam.benchmarks.serve.exchange import NO_SESSION, OK, REFUSALS
from suresam.benchmarks.serve.measurements import Percentiles, percentiles
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap


@dataclass(frozen=True, slots=True)
class Delivered:
    """Of all rounds of one load in one mode.

    Attributes:
        load: its name.
        mode: "small" or "auto".
        rate: clicks a second that were offered, as planned.
        seconds: of all rounds together.
        offered: clicks that waited for an answer.
        answered: of them, how many got masks.
        refused: of them, how many were told to come back later.
        not_sent: of them, those on pictures whose upload had failed.
        failed: of them, how many ended with another error.
        uploads: errors of pictures by code, most frequent first.
        reasons: how many answers were given for each of `routing.policy.REASONS`.
        escalated: how many answers a larger member gave.
        latency, stayed, larger: of all answers, those that are no larger member's, and those
            that are; from the intended time.
        spent_ms: mean device milliseconds of an answer, by its receipt; None of nothing.
        iou: mean of the best masks, with its interval by scene.
        lag_p99_ms: the generator's own, of the worst round.
        is_void: whether that was over the bound in any round.
    """

    load: str
    mode: str
    rate: float
    seconds: float
    offered: int
    answered: int
    refused: int
    not_sent: int
    failed: int
    uploads: dict[str, int]
    reasons: dict[str, int]
    escalated: int
    latency: Percentiles
    stayed: Percentiles
    larger: Percentiles
    spent_ms: float | None
    iou: Estimate
    lag_p99_ms: float | None
    is_void: bool

    @property
    def escalated_share(self) -> float | None:
        """Of the answers; None of nothing."""
        return self.escalated / self.answered if self.answered else None


@dataclass(frozen=True, slots=True)
class Pairs:
    """The same clicks in both modes.

    Attributes:
        count: of them.
        median_ms: of what mode auto took longer; None of nothing.
    """

    count: int
    median_ms: float | None


@dataclass(frozen=True, slots=True)
class Added:
    """What mode auto adds to mode small at one load.

    Attributes:
        load: its name.
        p50_ms, p95_ms, p99_ms: differences of the percentiles; None where one has no answers.
        stayed, larger: clicks that both modes answered, by whether auto asked a larger member.
        spent_ms: device milliseconds of an answer.
        iou: difference of the means, with its interval by scene.
    """

    load: str
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    stayed: Pairs
    larger: Pairs
    spent_ms: float | None
    iou: Estimate


def deliver(
    load: str,
    mode: str,
    rate: float,
    seconds: float,
    clicks: Sequence[RoutedClick],
    uploads: Sequence[str],
    lags_ms: Sequence[float | None],
    max_lag_ms: float,
) -> Delivered:
    """Add up all rounds.

    Args:
        clicks: of all of them.
        uploads: codes of what became of the pictures.
        lags_ms: the generator's own, p99 of each round; None for one without clicks.
        max_lag_ms: their bound.
    """
    told = answered(clicks)
    receipts = [click.receipt for click in told if click.receipt is not None]
    by_larger: dict[bool, list[float]] = {False: [], True: []}
    for click, receipt in zip(told, receipts, strict=True):
        by_larger[receipt.is_escalated].append(click.latency_ms)
    refused = sum(click.code in REFUSALS for click in clicks)
    not_sent = sum(click.code == NO_SESSION for click in clicks)
    lag_ms = max((lag for lag in lags_ms if lag is not None), default=None)
    return Delivered(
        load=load,
        mode=mode,
        rate=rate,
        seconds=seconds,
        offered=len(clicks),
        answered=len(told),
        refused=refused,
        not_sent=not_sent,
        failed=len(clicks) - len(told) - refused - not_sent,
        uploads=_errors(uploads),
        reasons=dict(Counter(receipt.reason for receipt in receipts).most_common()),
        escalated=len(by_larger[True]),
        latency=percentiles([click.latency_ms for click in told]),
        stayed=percentiles(by_larger[False]),
        larger=percentiles(by_larger[True]),
        spent_ms=fmean(receipt.spent_ms for receipt in receipts) if receipts else None,
        iou=_bootstrap(told).mean(_ious(told)),
        lag_p99_ms=lag_ms,
        is_void=lag_ms is not None and lag_ms > max_lag_ms,
    )


def add(
    small: Delivered,
    auto: Delivered,
    small_clicks: Sequence[RoutedClick],
    auto_clicks: Sequence[RoutedClick],
) -> Added:
    """Compare the two modes at one load, whose plans are the same."""
    ones, others = answered(small_clicks), answered(auto_clicks)
    known = {(click.round, click.intended_s): click for click in ones}
    longer: dict[bool, list[float]] = {False: [], True: []}
    for click in others:
        twin = known.get((click.round, click.intended_s))
        if twin is not None and twin.aim == click.aim and click.receipt is not None:
            longer[click.receipt.is_escalated].append(click.latency_ms - twin.latency_ms)
    both = [*ones, *others]
    is_auto = np.repeat([0.0, 1.0], [len(ones), len(others)])
    return Added(
        load=small.load,
        p50_ms=_minus(auto.latency.p50_ms, small.latency.p50_ms),
        p95_ms=_minus(auto.latency.p95_ms, small.latency.p95_ms),
        p99_ms=_minus(auto.latency.p99_ms, small.latency.p99_ms),
        stayed=_pairs(longer[False]),
        larger=_pairs(longer[True]),
        spent_ms=_minus(auto.spent_ms, small.spent_ms),
        iou=_bootstrap(both).statistic(_difference, _ious(both), is_auto),
    )


def _difference(
    iou: NDArray[np.float64], is_auto: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(R,) mean of the second mode less that of the first; NaN where one is not there."""

    def mean(chosen: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((weights @ (iou * chosen)) / (weights @ chosen))

    with np.errstate(invalid="ignore", divide="ignore"):
        return mean(is_auto) - mean(1 - is_auto)


def errors_of(clicks: Sequence[RoutedClick]) -> dict[str, int]:
    """Clicks that got no masks by code, most frequent first."""
    return _errors([click.code for click in clicks])


def _errors(codes: Sequence[str]) -> dict[str, int]:
    return dict(Counter(code for code in codes if code != OK).most_common())


def _bootstrap(clicks: Sequence[RoutedClick]) -> ImageBootstrap:
    return ImageBootstrap([(click.aim.scene or 0) if click.aim else 0 for click in clicks])


def _ious(clicks: Sequence[RoutedClick]) -> NDArray[np.float64]:
    return np.array([np.nan if click.iou is None else click.iou for click in clicks], np.float64)


def _pairs(longer_ms: Sequence[float]) -> Pairs:
    return Pairs(len(longer_ms), median(longer_ms) if longer_ms else None)


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
