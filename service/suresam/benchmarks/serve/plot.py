"""A picture of a load test: the distribution of latencies, their course, and the sweep."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from suresam.benchmarks.serve.exchange import OK, Exchange
from suresam.benchmarks.serve.load_test import Phase
from suresam.benchmarks.serve.overload import RECOVERY

_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
_ERROR_COLOUR = "black"
_SHOWN_SHARES = (0, 1)


def draw_load(phases: Sequence[Phase], goal_ms: float, title: str) -> bytes:
    """A PNG of the clicks' latencies, and of goodput and p99 over what was offered.

    Args:
        phases: in their order; the last plot needs two of open load.
        goal_ms: drawn as a line.
        title: above everything.
    """
    offered = load_curve(phases)
    has_sweep = len({phase.rate for phase in offered}) > 1
    canvas = Figure(figsize=(15 if has_sweep else 10, 4.6), dpi=110, layout="constrained")
    canvas.suptitle(title, fontweight="bold")
    axes = canvas.subplots(1, 3 if has_sweep else 2)
    _draw_distribution(axes[0], phases, goal_ms)
    _draw_course(axes[1], phases, goal_ms)
    if has_sweep:
        _draw_sweep(axes[2], offered, goal_ms)
    for each in axes:
        each.grid(alpha=0.3)
    buffer = BytesIO()
    canvas.savefig(buffer, format="png")
    return buffer.getvalue()


def load_curve(phases: Sequence[Phase]) -> list[Phase]:
    """The phases that say what a load does, by what was offered.

    Not a recovery: what happens in it is the overload's doing, and not that of its own load.
    """
    offered = [phase for phase in phases if phase.rate is not None and phase.name != RECOVERY]
    return sorted(offered, key=lambda phase: phase.rate or 0.0)


def _draw_distribution(axes: Axes, phases: Sequence[Phase], goal_ms: float) -> None:
    for index, phase in enumerate(phases):
        latencies = np.sort([click.latency_ms for click in _clicks(phase) if click.code == OK])
        if len(latencies):
            shares = (np.arange(len(latencies)) + 1) / len(latencies)
            axes.step(latencies, shares, where="post", color=_colour(index), label=_label(phase))
    axes.axvline(goal_ms, color="grey", linestyle="--", linewidth=1, label="goal")
    axes.set(
        title="clicks answered within",
        xlabel="ms from the intended time",
        ylabel="share of the answered",
        xscale="log",
        ylim=_SHOWN_SHARES,
    )
    _write_plainly(axes.xaxis)
    axes.legend(loc="lower right", fontsize=8)


def _draw_course(axes: Axes, phases: Sequence[Phase], goal_ms: float) -> None:
    begin = 0.0
    for index, phase in enumerate(phases):
        clicks = _clicks(phase)
        for is_ok, colour, marker in ((True, _colour(index), "."), (False, _ERROR_COLOUR, "x")):
            shown = [click for click in clicks if (click.code == OK) is is_ok]
            axes.plot(
                [begin + click.intended_s for click in shown],
                [max(click.latency_ms, 0.1) for click in shown],
                marker,
                markersize=3,
                color=colour,
                alpha=0.6,
            )
        begin += phase.seconds
        axes.axvline(begin, color="grey", linewidth=0.5)
    axes.axhline(goal_ms, color="grey", linestyle="--", linewidth=1)
    axes.set(
        title="every click (x: an error)", xlabel="seconds, phases in a row", ylabel="ms",
        yscale="log",
    )  # fmt: skip
    _write_plainly(axes.yaxis)


def _draw_sweep(axes: Axes, offered: Sequence[Phase], goal_ms: float) -> None:
    rates = [phase.rate or 0.0 for phase in offered]
    axes.plot(rates, rates, color="grey", linewidth=1, label="all that is offered")
    goodput = [phase.measured.goodput.per_s for phase in offered]
    axes.plot(rates, goodput, "o-", color=_COLOURS[0], label=f"goodput within {goal_ms:g} ms")
    axes.set(title="goodput and latency by load", xlabel="offered clicks/s", ylabel="clicks/s")
    axes.set_ylim(bottom=0)
    right = axes.twinx()
    p99 = [phase.measured.clicks.p99_ms or np.nan for phase in offered]
    right.plot(rates, p99, "s--", color=_COLOURS[1], label="p99 (right)")
    right.set(ylabel="p99, ms", yscale="log")
    _write_plainly(right.yaxis)
    handles = [*axes.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    # Below: there is no corner that no point ever comes to.
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=8
    )


def _write_plainly(axis: Axis) -> None:
    """Label a logarithmic axis 10, 20, 50, 100, and not by powers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _clicks(phase: Phase) -> list[Exchange]:
    return [exchange for exchange in phase.exchanges if exchange.kind == "click"]


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]


def _label(phase: Phase) -> str:
    return f"{phase.name}{' (void)' if phase.is_void else ''}"
