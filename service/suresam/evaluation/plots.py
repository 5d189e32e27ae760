"""One picture of the figures: what clicks bring, what sizes cost, what scores are worth."""

from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from suresam.evaluation.agreement import reliability
from suresam.evaluation.bootstrap import Estimate
from suresam.evaluation.figures import SIZES, Figures
from suresam.evaluation.measuring import IOU, PREDICTED_IOU, Measurements
from suresam.evaluation.questions import CANDIDATES, CLICK_TOP, CLICKS

_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2")
_FLOORS = {
    "disc_one_radius": ("one disc", ":"),
    "flood_one_tolerance": ("one flood fill", "--"),
    "filled_box": ("filled box", "-."),
}


def draw_plots(figures: Figures, measured: Measurements, title: str) -> bytes:
    """Three plots side by side as a PNG: IoU by clicks, IoU by size, predicted against true.

    Bars are 95 % intervals by image. The baselines are in the first, as lines.
    """
    canvas = Canvas(figsize=(15, 5), dpi=110, layout="constrained")
    by_clicks, by_size, by_score = canvas.subplots(1, 3)
    canvas.suptitle(title, fontweight="bold")
    _draw_clicks(by_clicks, figures, measured)
    _draw_sizes(by_size, figures, measured)
    _draw_reliability(by_score, measured)
    for axes in (by_clicks, by_size, by_score):
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.3)
    buffer = BytesIO()
    canvas.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_clicks(axes: Axes, figures: Figures, measured: Measurements) -> None:
    places = np.arange(len(CLICKS) + 1, dtype=np.float64)
    for colour, (who, offset) in zip(_COLOURS, _offsets(measured, 0.1), strict=False):
        means = [figures.find(who, question) for question in CLICKS]
        _errorbars(axes, places[:-1] + offset, means, colour, who, linewidth=1.2)
        _errorbars(axes, places[-1:] + offset, [figures.find(who, "box")], colour, None, "s")
    for name, (label, line) in _FLOORS.items():
        floor = figures.find(name, name)
        if floor is not None:
            axes.axhline(floor.value, color="grey", linestyle=line, linewidth=1, label=label)
    axes.set_xticks(places, [*(str(n) for n in range(1, len(CLICKS) + 1)), "box"])
    axes.set(title="more clicks", xlabel="clicks", ylabel="mean IoU")
    axes.legend(loc="lower right", fontsize=8)


def _draw_sizes(axes: Axes, figures: Figures, measured: Measurements) -> None:
    places = np.arange(len(SIZES), dtype=np.float64)
    for colour, (who, offset) in zip(_COLOURS, _offsets(measured, 0.24), strict=False):
        for question, word, marker, shift in (
            (CLICK_TOP, "one click", "o", -0.05),
            ("box", "box", "s", 0.05),
        ):
            means = [figures.find(who, question, size=size) for size in SIZES]
            _errorbars(axes, places + offset + shift, means, colour, f"{who}, {word}", marker)
    shares = np.array([target.share for target in measured.targets])
    counts = [int(((shares >= low) & (shares < high)).sum()) for low, high in SIZES.values()]
    ticks = [f"{name}\n{count} targets" for name, count in zip(SIZES, counts, strict=True)]
    axes.set_xticks(places, ticks)
    axes.set_xlim(-0.5, len(SIZES) - 0.5)
    axes.set(title="by share of the picture", ylabel="mean IoU")
    axes.legend(loc="lower right", fontsize=8)


def _draw_reliability(axes: Axes, measured: Measurements) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for colour, (who, questions) in zip(_COLOURS, measured.models.items(), strict=False):
        scores = np.concatenate([questions[candidate] for candidate in CANDIDATES])
        bins = reliability(scores[:, PREDICTED_IOU], scores[:, IOU])
        predicted, true, counts = zip(*bins, strict=True)
        sizes = 250 * np.array(counts) / max(counts)
        axes.plot(predicted, true, color=colour, linewidth=1)
        axes.scatter(predicted, true, sizes, color=colour, alpha=0.6, label=who)
    axes.set_xlim(0, 1)
    axes.set(
        title="one click, all three answers (area: how many)",
        xlabel="predicted IoU",
        ylabel="true IoU",
    )
    axes.annotate("too sure", (0.97, 0.03), ha="right", color="grey")
    axes.annotate("too modest", (0.03, 0.95), color="grey")
    legend = axes.legend(loc="lower center", fontsize=8)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_sizes([40])  # type: ignore[attr-defined]


def _offsets(measured: Measurements, apart: float) -> list[tuple[str, float]]:
    """Every model with its place beside the middle of a tick."""
    middle = (len(measured.models) - 1) / 2
    return [(who, apart * (i - middle)) for i, who in enumerate(measured.models)]


def _errorbars(
    axes: Axes,
    places: NDArray[np.float64],
    means: list[Estimate | None],
    colour: str,
    label: str | None,
    marker: str = "o",
    linewidth: float = 0.0,
) -> None:
    there = [(x, mean) for x, mean in zip(places, means, strict=True) if mean is not None]
    ends = np.array([[mean.value - mean.low, mean.high - mean.value] for _, mean in there]).T
    axes.errorbar(
        [x for x, _ in there],
        [mean.value for _, mean in there],
        np.maximum(np.nan_to_num(ends), 0),  # no interval from a single picture
        color=colour,
        label=label,
        marker=marker,
        markersize=5,
        capsize=3,
        linewidth=linewidth,
        elinewidth=1,
    )
