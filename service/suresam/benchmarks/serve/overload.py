"""Offering more than a server can do, and what it makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from suresam.benchmarks.serve.exchange import NO_ERRORS, REFUSALS
from suresam.benchmarks.serve.load_test import LoadTest, Phase, Step
from suresam.benchmarks.serve.measurements import Percentiles, percentiles
from suresam.benchmarks.serve.recovery import seconds_until_normal
from suresam.benchmarks.serve.visits import Load
from suresam.errors import ConfigurationError

PEAK_SHARE, RECOVERY_SHARE = 0.8, 0.5
"""Of the capacity: what is offered before the overload and after it."""

CAPACITY, PEAK, OVERLOAD, RECOVERY = "capacity", "before", "overload", "recovery"


@dataclass(frozen=True, slots=True)
class OverloadReport:
    """What an overload did.

    Attributes:
        factor: offered clicks of the capacity.
        capacity_per_s: clicks a second of people without a pause, with their uploads.
        peak_per_s: the best goodput without an overload, by people or at `PEAK_SHARE`.
        goodput_per_s: of the overload.
        peak_requests_per_s, requests_per_s: the same with the uploads that were answered in time:
            more visitors bring more of them, and their share of the device is not the clicks'.
        refusals: how long they took from sending, in the overload.
        refused_share: of the requests of the overload.
        failed_share: those that ended with any other error.
        retry_after_share: of the refusals, those that said when to come back.
        resident_before_bytes, resident_after_bytes, resident_recovered_bytes: the server's memory
            before and after the overload and after the recovery; None for a server not ours.
        normal_ms: p95 of the clicks before.
        recovery_s: seconds until half of the clicks were within `normal_ms` again and stayed
            there; None if they never did.
    """

    factor: float
    capacity_per_s: float
    peak_per_s: float
    goodput_per_s: float
    peak_requests_per_s: float
    requests_per_s: float
    refusals: Percentiles
    refused_share: float
    failed_share: float
    retry_after_share: float | None
    resident_before_bytes: int | None
    resident_after_bytes: int | None
    resident_recovered_bytes: int | None
    normal_ms: float | None
    recovery_s: float | None

    @property
    def goodput_of_peak(self) -> float | None:
        """Goodput in the overload over the best without; None if there never was any."""
        return self.goodput_per_s / self.peak_per_s if self.peak_per_s else None

    @property
    def requests_of_peak(self) -> float | None:
        """The same of clicks and uploads together."""
        if not self.peak_requests_per_s:
            return None
        return self.requests_per_s / self.peak_requests_per_s


async def measure_capacity(test: LoadTest, load: Load, people: int, seconds: float) -> Phase:
    """How many clicks a second people make who upload, click and leave without a pause.

    Raises:
        ConfigurationError: nobody got a mask.
    """
    phase = await test.people(people, seconds, load.mean_clicks)
    if not phase.measured.goodput.answered:
        codes = ", ".join(errors.code for errors in phase.measured.errors) or "no answer in time"
        raise ConfigurationError(f"the server answers no click ({codes})")
    return replace(phase, name=CAPACITY)


async def overload(
    test: LoadTest, load: Load, factor: float, people: int, seconds: float
) -> tuple[OverloadReport, list[Phase]]:
    """Measure the capacity, offer a part of it, then `factor` times it, then half of it.

    Args:
        test: of the server.
        load: its rate is replaced.
        factor: over 1.
        people: who measure the capacity.
        seconds: of each of the four phases.
    """
    capacity = await measure_capacity(test, load, people, seconds)
    per_s = capacity.measured.goodput.answered / seconds
    shares = {PEAK: PEAK_SHARE, OVERLOAD: factor, RECOVERY: RECOVERY_SHARE}
    steps = [
        Step(name, replace(load, rate=share * per_s), seconds) for name, share in shares.items()
    ]
    phases = [capacity, *await test.offer(steps)]
    return report_overload(factor, phases), phases


def report_overload(factor: float, phases: Sequence[Phase]) -> OverloadReport:
    """Add up the phases of `overload`, in their order."""
    capacity, before, during, after = phases
    asked = during.exchanges
    refused = [e for e in asked if e.code in REFUSALS]
    failed = [e for e in asked if e.code not in (*NO_ERRORS, *REFUSALS)]
    normal_ms = before.measured.clicks.p95_ms
    return OverloadReport(
        factor=factor,
        capacity_per_s=capacity.measured.goodput.answered / capacity.seconds,
        peak_per_s=max(phase.measured.goodput.per_s for phase in (capacity, before)),
        goodput_per_s=during.measured.goodput.per_s,
        peak_requests_per_s=max(_requests_per_s(phase) for phase in (capacity, before)),
        requests_per_s=_requests_per_s(during),
        refusals=percentiles([e.answer_ms for e in refused]),
        refused_share=len(refused) / max(1, len(asked)),
        failed_share=len(failed) / max(1, len(asked)),
        retry_after_share=sum(e.has_retry_after for e in refused) / len(refused)
        if refused
        else None,
        resident_before_bytes=before.resident_bytes,
        resident_after_bytes=during.resident_bytes,
        resident_recovered_bytes=after.resident_bytes,
        normal_ms=normal_ms,
        recovery_s=None
        if normal_ms is None
        else seconds_until_normal(after.exchanges, after.seconds, normal_ms),
    )


def _requests_per_s(phase: Phase) -> float:
    return phase.measured.good_requests / phase.seconds
