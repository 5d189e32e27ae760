"""A measurement of routing in words and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from suresam.benchmarks.route.delivered import Added, Delivered, Pairs, errors_of
from suresam.benchmarks.route.run import RouteReport
from suresam.columns import aligned
from suresam.domain import AUTO
from suresam.evaluation.rows import estimate_row, told
from suresam.routing.policy import OVERLOAD


def route_lines(report: RouteReport) -> list[str]:
    """Everything: what was delivered, why, what mode auto adds, and a verdict."""
    how = "measured" if report.is_measured else "given"
    lines = [f"capacity {report.capacity_per_s:.1f} clicks/s of the small member, {how}", ""]
    lines += delivered_table(report.delivered)
    for each in report.delivered:
        errors = {"clicks": errors_of(report.clicks[each.load, each.mode]), "uploads": each.uploads}
        for what, codes in errors.items():
            if codes:
                counts = ", ".join(f"{number} x {code}" for code, number in codes.items())
                lines.append(f"{_name(each)}: {what}: {counts}")
        if each.is_void:
            lines.append(
                f"{_name(each)}: VOID, the generator itself was {_ms(each.lag_p99_ms)} ms late "
                "(p99); its latencies are not the server's"
            )
    auto = [each for each in report.delivered if each.mode == AUTO]
    lines += ["", *reason_table(auto), "", *added_table(report.added), "", verdict(auto[-1])]
    return lines


def delivered_table(delivered: Sequence[Delivered]) -> list[str]:
    """A line for each load and mode."""
    head = (
        "", "offered/s", "answered/s", "refused", "not sent", "failed", "escalated", "p50 ms",
        "p95 ms", "p99 ms", "device ms", "mean IoU",
    )  # fmt: skip
    rows = [
        (
            _name(each) + (" VOID" if each.is_void else ""),
            f"{each.offered / each.seconds:.1f}",
            f"{each.answered / each.seconds:.1f}",
            str(each.refused),
            str(each.not_sent),
            str(each.failed),
            _percent(each.escalated_share),
            *(_ms(ms) for ms in (each.latency.p50_ms, each.latency.p95_ms, each.latency.p99_ms)),
            _ms(each.spent_ms),
            told(each.iou),
        )
        for each in delivered
    ]
    return aligned([head, *rows])


def reason_table(auto: Sequence[Delivered]) -> list[str]:
    """The share of the answers that was given for each reason, by load."""
    names = list(dict.fromkeys(reason for each in auto for reason in each.reasons))
    rows = [
        (name, *(_percent(each.reasons.get(name, 0) / (each.answered or 1)) for each in auto))
        for name in names
    ]
    return aligned([("answers in mode auto, by reason", *(each.load for each in auto)), *rows])


def added_table(added: Sequence[Added]) -> list[str]:
    """What mode auto adds, by load."""
    rows = [
        ("what mode auto adds", *(each.load for each in added)),
        ("p50 of all answers, ms", *(_signed(each.p50_ms) for each in added)),
        ("p95", *(_signed(each.p95_ms) for each in added)),
        ("p99", *(_signed(each.p99_ms) for each in added)),
        ("a click that stayed, ms (median of pairs)", *(_pairs(each.stayed) for each in added)),
        ("an escalated click, ms (median of pairs)", *(_pairs(each.larger) for each in added)),
        ("device ms an answer", *(_signed(each.spent_ms) for each in added)),
        ("mean IoU", *(told(each.iou, sign="+") for each in added)),
    ]
    return aligned(rows)


def verdict(overloaded: Delivered) -> str:
    """Whether more than can be done was seen to fall back to the small member."""
    share = overloaded.reasons.get(OVERLOAD, 0) / (overloaded.answered or 1)
    return (
        f"at {overloaded.load} {OVERLOAD} kept {share:.1%} of the answers with the small member, "
        f"and {_percent(overloaded.escalated_share)} were escalated"
    )


def route_json(report: RouteReport) -> dict[str, Any]:
    """All figures."""
    return {
        "capacity_per_s": report.capacity_per_s,
        "is_measured": report.is_measured,
        "delivered": [
            asdict(each)
            | {
                "iou": estimate_row(each.iou, "clicks"),
                "escalated_share": each.escalated_share,
                "errors": errors_of(report.clicks[each.load, each.mode]),
            }
            for each in report.delivered
        ],
        "added": [
            asdict(each) | {"iou": estimate_row(each.iou, "clicks")} for each in report.added
        ],
        "is_void": any(each.is_void for each in report.delivered),
    }


def _name(each: Delivered) -> str:
    return f"{each.mode}, {each.load}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _pairs(pairs: Pairs) -> str:
    return f"{_signed(pairs.median_ms)} ({pairs.count})"
