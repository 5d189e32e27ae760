"""A load test in words and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from suresam.benchmarks.serve.load_test import Phase
from suresam.benchmarks.serve.measurements import Percentiles
from suresam.benchmarks.serve.overload import OverloadReport
from suresam.benchmarks.serve.run import LoadReport
from suresam.benchmarks.serve.server_metrics import ServerMetrics
from suresam.columns import aligned

_MIB = 2**20


def report_lines(report: LoadReport, goal_ms: float) -> list[str]:
    """Everything: a table, what does not fit into it, and a verdict."""
    lines = phase_table(report.phases)
    for phase in report.phases:
        details = phase_details(phase)
        if details:
            lines += ["", phase.name, *(f"  {line}" for line in details)]
    lines.append("")
    if report.overload is not None:
        return lines + overload_lines(report.overload)
    best = peak(report.phases)
    if best is not None:
        lines.append(
            f"peak goodput: {best.measured.goodput.per_s:.1f} clicks/s within {goal_ms:g} ms, "
            f"at {best.rate:.1f} offered"
        )
    for phase in report.phases:
        if phase.rate is None:
            answered = phase.measured.goodput.answered
            lines.append(f"{phase.name}: {answered / phase.seconds:.1f} clicks/s")
    return lines


def report_json(report: LoadReport) -> dict[str, Any]:
    """All figures."""
    best = peak(report.phases)
    return {
        "phases": [phase_json(phase) for phase in report.phases],
        "peak": None if best is None or report.overload is not None else best.name,
        "overload": None if report.overload is None else overload_json(report.overload),
        "is_void": any(phase.is_void for phase in report.phases),
    }


def phase_table(phases: Sequence[Phase]) -> list[str]:
    """A line for each phase."""
    head = ("", "offered/s", "good/s", "good", "click p50", "p95", "p99 ms", "upload p50", "p95",
            "p99 ms", "errors", "lag p99 ms")  # fmt: skip
    return aligned([head, *(_row(phase) for phase in phases)])


def phase_details(phase: Phase) -> list[str]:
    """What does not fit into the table: errors by code, and what the server says of itself."""
    measured = phase.measured
    lines = []
    for errors in measured.errors:
        lines.append(
            f"{errors.took.count} x {errors.code}: told after {_ms(errors.took.p50_ms)} ms (p50), "
            f"{_ms(errors.took.p99_ms)} ms (p99); {errors.retry_after} with Retry-After"
        )
    if measured.no_session:
        lines.append(f"{measured.no_session} clicks not sent: their upload had failed")
    if measured.hung_up:
        lines.append(f"{measured.hung_up} clicks whose visitor hung up")
    if measured.one_shots.count:
        one = measured.one_shots
        lines.append(
            f"{one.count} pictures with a click in one request: "
            f"p50 {_ms(one.p50_ms)}, p95 {_ms(one.p95_ms)}, p99 {_ms(one.p99_ms)} ms"
        )
    if phase.server is not None:
        lines += _server_lines(phase.server)
    if phase.is_void:
        lines.append(
            f"VOID: the generator itself was {_ms(phase.lag_p99_ms)} ms late (p99); "
            "its latencies are not the server's"
        )
    return lines


def overload_lines(report: OverloadReport) -> list[str]:
    """The verdict on an overload."""
    of_peak, requests_of_peak = report.goodput_of_peak, report.requests_of_peak
    retry_after = report.retry_after_share
    recovery = "not within the phase" if report.recovery_s is None else f"{report.recovery_s:g} s"
    lines = [
        f"capacity {report.capacity_per_s:.1f} clicks/s, best goodput without overload "
        f"{report.peak_per_s:.1f}/s",
        f"goodput at {report.factor:g} x capacity: {report.goodput_per_s:.1f}/s"
        + ("" if of_peak is None else f", {of_peak:.0%} of the best"),
        f"with uploads in time: {report.requests_per_s:.1f} requests/s"
        + ("" if requests_of_peak is None else f", {requests_of_peak:.0%} of the best"),
        f"refused {report.refused_share:.1%} of all requests, after "
        f"{_ms(report.refusals.p50_ms)} ms (p50), {_ms(report.refusals.p99_ms)} ms (p99)"
        + ("" if retry_after is None else f"; {retry_after:.0%} with Retry-After"),
        f"failed {report.failed_share:.1%}",
        f"latency normal again (p50 within {_ms(report.normal_ms)} ms) after: {recovery}",
    ]
    memory = (
        report.resident_before_bytes,
        report.resident_after_bytes,
        report.resident_recovered_bytes,
    )
    if None not in memory:
        before, after, recovered = (f"{(size or 0) / _MIB:.0f}" for size in memory)
        lines.append(
            f"server's resident memory: {before} MiB before, {after} after the overload, "
            f"{recovered} after the recovery"
        )
    return lines


def peak(phases: Sequence[Phase]) -> Phase | None:
    """The phase of the best goodput among those of open load that count; None without any."""
    counting = [phase for phase in phases if phase.rate is not None and not phase.is_void]
    return max(counting, key=lambda phase: phase.measured.goodput.per_s, default=None)


def phase_json(phase: Phase) -> dict[str, Any]:
    """All figures of a phase."""
    named = {f.name: getattr(phase, f.name) for f in fields(phase) if f.name != "exchanges"}
    goodput = phase.measured.goodput
    derived = {"share": goodput.share, "per_s": goodput.per_s}
    body = named | {"measured": asdict(phase.measured)}
    body["measured"]["goodput"] |= derived
    if phase.server is not None:
        body["server"] = asdict(phase.server)
        for stage, batches in phase.server.batches.items():
            body["server"]["batches"][stage]["mean"] = batches.mean
    return body


def overload_json(report: OverloadReport) -> dict[str, Any]:
    """All figures of an overload."""
    return asdict(report) | {
        "goodput_of_peak": report.goodput_of_peak,
        "requests_of_peak": report.requests_of_peak,
    }


def _row(phase: Phase) -> tuple[str, ...]:
    measured = phase.measured
    share = measured.goodput.share
    return (
        phase.name + (" VOID" if phase.is_void else ""),
        f"{measured.goodput.offered / phase.seconds:.1f}",
        f"{measured.goodput.per_s:.1f}",
        "-" if share is None else f"{share:.1%}",
        *_percentiles(measured.clicks),
        *_percentiles(measured.uploads),
        str(sum(errors.took.count for errors in measured.errors)),
        _ms(phase.lag_p99_ms),
    )


def _percentiles(of: Percentiles) -> tuple[str, str, str]:
    return _ms(of.p50_ms), _ms(of.p95_ms), _ms(of.p99_ms)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _server_lines(server: ServerMetrics) -> list[str]:
    lines = [
        f"server: {stage} {batches.launches} launches of {batches.mean:.2f} in the mean "
        f"({', '.join(f'{size}: {n}' for size, n in batches.by_size.items())})"
        for stage, batches in sorted(server.batches.items())
    ]
    for what, counts in (
        ("embeddings", server.cache),
        ("rejected", server.rejected),
        ("cancelled", server.cancelled),
    ):
        if counts:
            told = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
            lines.append(f"server: {what} {told}")
    return lines
