"""A picture of routing as delivered: latencies, who answered in time, IoU against cost, reasons."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from suresam.benchmarks.route.clicks import RoutedClick, answered
from suresam.benchmarks.route.delivered import Delivered
from suresam.benchmarks.route.run import RouteReport
from suresam.domain import AUTO, SMALL
from suresam.routing.policy import (
    EXPECTED_GAIN,
    GAIN_BELOW_THRESHOLD,
    OVERLOAD,
)

_MODES = {SMALL: "#7f7f7f", AUTO: "#8c1515"}
_LINES = ("-", "--")
_MARKERS = ("o", "s")
_REASONS = {GAIN_BELOW_THRESHOLD: "#c7c7c7", EXPECTED_GAIN: "#8c1515", OVERLOAD: "#ff7f0e"}
_OTHERS = ("#1f77b4", "#2ca02c", "#9467bd", "#17becf", "#bcbd22", "#e377c2", "#8c564b")


def draw_route(report: RouteReport, title: str) -> bytes:
    """A PNG of four plots.

    Args:
        report: of at least two loads.
        title: above everything.
    """
    canvas = Figure(figsize=(13, 8.4), dpi=110, layout="constrained")
    canvas.suptitle(
        f"suresam bench route: capacity {report.capacity_per_s:.1f} clicks/s of the small member"
        f" - {title}",
        fontweight="bold",
    )
    (latencies, costs), (low, high) = canvas.subplots(2, 2)
    _draw_latencies(latencies, report)
    _draw_costs(costs, report)
    loads = list(dict.fromkeys(each.load for each in report.delivered))
    names = _reasons(report)
    for axes, load in ((low, loads[0]), (high, loads[-1])):
        _draw_course(axes, report.clicks[load, AUTO], names, report.seconds, load)
    handles, labels = low.get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    buffer = BytesIO()
    canvas.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_latencies(axes: Axes, report: RouteReport) -> None:
    for each, line in _styled(report.delivered, _LINES):
        told = answered(report.clicks[each.load, each.mode])
        latencies = np.sort([max(click.latency_ms, 0.1) for click in told])
        shares = (np.arange(len(latencies)) + 1) / max(1, len(latencies))
        axes.step(
            latencies,
            shares,
            where="post",
            color=_MODES[each.mode],
            linestyle=line,
            label=f"{each.mode}, {each.load}{' (void)' if each.is_void else ''}",
        )
    axes.set(
        title="clicks answered within", xlabel="ms from the intended time", xscale="log",
        ylabel="of the answered",
    )  # fmt: skip
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=9)


def _draw_costs(axes: Axes, report: RouteReport) -> None:
    for each, marker in _styled(report.delivered, _MARKERS):
        if each.spent_ms is None:
            continue
        value, low, high = each.iou.value, each.iou.low, each.iou.high
        axes.errorbar(
            each.spent_ms,
            value,
            [[value - low], [high - value]],
            marker=marker,
            markersize=8,
            capsize=3,
            linestyle="",
            color=_MODES[each.mode],
            label=f"{each.mode}, {each.load}",
        )
    axes.set(
        title="accuracy and cost as delivered (95 % by scene)",
        xlabel="device ms an answer, by the receipts",
        ylabel="mean IoU of the best mask",
    )
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper center", fontsize=9)


def _draw_course(
    axes: Axes, clicks: Sequence[RoutedClick], names: Sequence[str], seconds: float, load: str
) -> None:
    edges = np.arange(0, max(1.0, np.ceil(seconds)) + 1)
    told = answered(clicks)
    times = np.array([click.intended_s for click in told])
    reasons = np.array([click.receipt.reason for click in told if click.receipt is not None])
    counts = np.array([np.histogram(times[reasons == name], edges)[0] for name in names])
    shares = counts / np.maximum(counts.sum(0), 1)
    below = np.zeros(len(edges) - 1)
    for name, share, colour in zip(names, shares, _colours(names), strict=True):
        axes.bar(edges[:-1] + 0.5, share, bottom=below, width=0.95, color=colour, label=name)
        below += share
    axes.set(
        title=f"mode auto at {load} the capacity: answers by reason",
        xlabel="second in which the click was to be sent (all rounds)",
        ylabel="of the answered",
        ylim=(0, 1),
    )
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def _reasons(report: RouteReport) -> list[str]:
    """All that were given, those of most plots first so that they lie lowest."""
    given = dict.fromkeys(r for each in report.delivered if each.mode == AUTO for r in each.reasons)
    return [*(name for name in _REASONS if name in given), *(r for r in given if r not in _REASONS)]


def _colours(names: Sequence[str]) -> list[str]:
    others = [name for name in names if name not in _REASONS]
    return [_REASONS.get(name) or _OTHERS[others.index(name) % len(_OTHERS)] for name in names]


def _styled(delivered: Sequence[Delivered], styles: Sequence[str]) -> list[tuple[Delivered, str]]:
    loads = list(dict.fromkeys(each.load for each in delivered))
    return [(each, styles[loads.index(each.load) % len(styles)]) for each in delivered]
