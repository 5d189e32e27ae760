"""Reliability of the gain as a picture: what was expected against what was recorded."""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from suresam.evaluation.rows import told
from suresam.evaluation.shadow.judging import REFITTED, SERVED, Judged
from suresam.evaluation.shadow.samples import WORDS

_COLOURS = {SERVED: "#1f77b4", REFITTED: "#d95f02"}
_MARKERS = {SERVED: "o", REFITTED: "s"}


def draw_gains(judged: Mapping[str, Judged], title: str) -> bytes:
    """A column for every part, as a PNG: reliability above the counts, of the held-out half.

    Args:
        judged: of the parts with enough comparisons, at least one.
        title: of the picture.
    """
    figure = Figure(figsize=(6.6 * len(judged), 6.8), dpi=110, layout="constrained")
    figure.suptitle(title, fontweight="bold")
    grid = figure.add_gridspec(2, len(judged), height_ratios=[4, 1])
    for column, (part, mine) in enumerate(judged.items()):
        upper = figure.add_subplot(grid[0, column])
        lower = figure.add_subplot(grid[1, column], sharex=upper)
        count = len(mine.expected[SERVED])
        upper.set_title(f"{WORDS[part]}: {count} comparisons that nothing was fitted to", pad=40)
        _draw_reliability(upper, mine)
        _draw_counts(lower, mine)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_reliability(axes: Axes, judged: Judged) -> None:
    heights = [0.0]
    for which, bins in judged.bins.items():
        y = np.array([found.recorded.value for found in bins])
        ends = np.array([(found.recorded.low, found.recorded.high) for found in bins]).T
        axes.errorbar(
            [found.expected for found in bins],
            y,
            np.maximum(np.nan_to_num([y - ends[0], ends[1] - y]), 0),  # NaN: one comparison
            color=_COLOURS[which],
            marker=_MARKERS[which],
            markersize=6,
            linewidth=1.3,
            elinewidth=1,
            capsize=3,
            label=f"{which}: RMS error {told(judged.figures[which]['rms_error'])}",
        )
        heights += [*y, *ends[~np.isnan(ends)]]
    both = np.concatenate([*judged.expected.values(), np.array(heights)])
    axes.plot([both.min(), both.max()], [both.min(), both.max()], color="black", linewidth=0.8)
    axes.axhline(0, color="grey", linewidth=0.8, linestyle=":")
    for words, where in (
        ("less than expected", (0.97, 0.03)),
        ("more than expected", (0.03, 0.94)),
    ):
        side = "right" if where[0] > 0.5 else "left"
        axes.annotate(words, where, xycoords="axes fraction", ha=side, color="grey")
    margin = 0.06 * (max(heights) - min(heights))
    axes.set(
        ylim=(min(heights) - margin, max(heights) + margin),
        ylabel="mean recorded gain in IoU (estimated)",
    )
    axes.grid(alpha=0.3)
    axes.tick_params(labelbottom=False)
    # Above the diagram, where it hides nothing.
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=9, frameon=False)


def _draw_counts(axes: Axes, judged: Judged) -> None:
    both = np.concatenate(list(judged.expected.values()))
    edges = np.histogram_bin_edges(both, 24).tolist()
    for which, expected in judged.expected.items():
        axes.hist(expected, edges, color=_COLOURS[which], alpha=0.55)
    margin = 0.03 * (edges[-1] - edges[0])
    axes.set(
        xlabel="expected gain in IoU",
        ylabel="comparisons",
        xlim=(edges[0] - margin, edges[-1] + margin),
    )
    axes.grid(alpha=0.3)
