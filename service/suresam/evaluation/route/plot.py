"""Accuracy against cost: mean IoU as more and more requests are escalated, by each policy."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike, NDArray

from suresam.evaluation.route.cases import DIRECT_HEAD, ENTROPY, SAM_SCORE
from suresam.evaluation.route.figures import ORACLE, POLICIES, POLICY
from suresam.evaluation.route.operating import USUAL
from suresam.evaluation.route.table import Judged, break_even

_STYLES = {
    ORACLE: ("black", "-", 1.0),
    DIRECT_HEAD: ("#e377c2", "-.", 1.5),
    ENTROPY: ("#1f77b4", "-", 1.5),
    SAM_SCORE: ("#7f7f7f", "--", 1.5),
    POLICY: ("#8c1515", "-", 2.6),
}
_Map = Callable[[ArrayLike], ArrayLike]

_SHOWN = 0.3
"""The share of requests at which the realised gain is written beside the curve."""


def draw_routes(judged: Mapping[str, Judged], work: Sequence[float], title: str) -> bytes:
    """A panel for each group of requests, as a PNG.

    Args:
        judged: by group.
        work: GFLOP of one request to each member.
        title: of the picture.
    """
    figure = Figure(figsize=(5.6 * len(judged), 6.4), dpi=110, layout="constrained")
    figure.suptitle(title, fontweight="bold")
    panels = figure.subplots(1, len(judged), squeeze=False)[0]
    for axes, (group, found) in zip(panels, judged.items(), strict=True):
        _draw(axes, found, work)
        axes.set_title(f"{group}: {len(found.routes.cases.iou)} requests", pad=8)
    panels[0].set_ylabel("mean IoU of the answers")
    # Below all panels: inside, so many names would cover one curve or another.
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=10, frameon=False)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw(axes: Axes, found: Judged, work: Sequence[float]) -> None:
    first, *_, last = found.members
    start, end = found.members[first].value, found.members[last].value
    even = np.ones((1, len(found.routes.cases.iou)))
    curves = {name: way.curve(even) for name, way in found.routes.ways.items()}
    for name, (colour, line, width) in _STYLES.items():
        if name in curves:
            spent, gained = curves[name]
            axes.plot(spent[0], start + gained[0], color=colour, linestyle=line, linewidth=width,
                      label=POLICIES[name], zorder=3 if name == POLICY else 2)  # fmt: skip
    axes.plot([0, 1], [start, end], color="black", linestyle=":", linewidth=1.3,
              label="random among the answered")  # fmt: skip
    equal = break_even(work)
    axes.plot([0, equal], [start, end], color="#ff7f0e", linestyle="--", linewidth=1.3,
              label="random before anybody is asked")  # fmt: skip
    points = {
        f"always {first}": (0.0, start, "s", "black"),
        f"always {last}": (equal, end, "D", "#ff7f0e"),
    }
    usual = next(point for point in found.points if point.name == USUAL)
    points[f"service, min_gain {usual.min_gain:g}"] = (usual.spent, usual.iou, "o", "#8c1515")
    for label, (x, y, marker, colour) in points.items():
        axes.plot(x, y, marker, color=colour, markersize=8, linestyle="none", label=label, zorder=4)
    _tell_gain(axes, curves, start, end)
    _label(axes, work, start, end, is_pair=len(found.members) == 2)


def _tell_gain(
    axes: Axes,
    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    start: float,
    end: float,
) -> None:
    """What is realised where so many are escalated, between the curve and the oracle's."""
    axes.axvline(_SHOWN, color="#8c1515", linewidth=0.8, alpha=0.6)
    if end > start:
        gained, most = (float(np.interp(_SHOWN, *(c[0] for c in curves[name])))
                        for name in (POLICY, ORACLE))  # fmt: skip
        words = f"{_SHOWN:.0%} escalated:\n{gained / (end - start):.0%} of the gain"
        height = start + 0.3 * gained + 0.7 * most
        axes.text(_SHOWN + 0.02, height, words, color="#8c1515", fontsize=12, va="center")


def _label(axes: Axes, work: Sequence[float], start: float, end: float, *, is_pair: bool) -> None:
    spending = "cost of escalating, share of escalating everything to the last member"
    axes.set_xlabel("share of requests escalated" if is_pair else spending)
    axes.set_xlim(-0.02, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    above = axes.secondary_xaxis("top", functions=_linear(work[0], work[-1]))
    above.set_xlabel("mean cost of a request, GFLOP")
    if end > start:
        beside = axes.secondary_yaxis("right", functions=_linear(-start / (end - start),
                                                                 1 / (end - start)))  # fmt: skip
        beside.yaxis.set_major_formatter(PercentFormatter(1))
        beside.set_ylabel("share of the gain")


def _linear(offset: float, factor: float) -> tuple[_Map, _Map]:
    """A straight line and its inverse, for a second axis."""
    return lambda x: offset + factor * np.asarray(x), lambda y: (np.asarray(y) - offset) / factor
