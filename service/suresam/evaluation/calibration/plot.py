"""What a calibration is worth as a picture: reliability and risk by coverage, a row a member."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from suresam.evaluation.agreement import NUM_BINS
from suresam.evaluation.calibration.curves import (
    ORACLE,
    PREDICTED,
    REFITTED,
    SERVED,
    MemberCurves,
)
from suresam.evaluation.calibration.judging import PREDICTED_AURC
from suresam.evaluation.calibration.table import ALL_PROMPTS

_COLOURS = {SERVED: "#1f77b4", REFITTED: "#d95f02", PREDICTED: "#7f7f7f", ORACLE: "black"}
_MARKERS = {SERVED: "o", REFITTED: "s", PREDICTED: "^"}
_LINES = {SERVED: "-", REFITTED: "--", PREDICTED: "-.", ORACLE: ":"}
_OFFSETS = {SERVED: -0.3, REFITTED: 0.0, PREDICTED: 0.3}
_FIGURES = {
    SERVED: (SERVED, "calibration_error", "aurc"),
    REFITTED: (REFITTED, "calibration_error", "aurc"),
    PREDICTED: (SERVED, "predicted_iou_error", PREDICTED_AURC),
    ORACLE: (SERVED, None, "aurc_oracle"),
}
"""By score, where the report has its calibration error and its area."""


def draw_calibration(report: Mapping[str, Any], curves: Mapping[str, MemberCurves]) -> bytes:
    """Two diagrams for every member, as a PNG.

    On the left what was said against the true IoU, with 95 % intervals by picture, above the
    number of masks in each bin; on the right the risk when only the masks of the highest scores
    are kept. The figures of each curve are in the legend.

    Args:
        report: with `figures`.
        curves: of every member.
    """
    figure = Figure(figsize=(13, 0.7 + 6.6 * len(curves)), dpi=110, layout="constrained")
    targets = report["targets"]
    figure.suptitle(
        f"{report['dataset']}: {targets['pictures']} pictures, all kinds of prompts",
        fontweight="bold",
    )
    parts = figure.subfigures(len(curves), 1, squeeze=False, hspace=0.04)[:, 0]
    for part, (member, drawn) in zip(parts, curves.items(), strict=True):
        part.suptitle(f"{member}, {targets['masks'][member]} masks")
        grid = part.add_gridspec(2, 2, height_ratios=[4, 1])
        upper = part.add_subplot(grid[0, 0])
        labels = _labels(report, member)
        _draw_reliability(upper, drawn, labels)
        _draw_counts(part.add_subplot(grid[1, 0], sharex=upper), drawn)
        _draw_risk(part.add_subplot(grid[:, 1]), drawn, labels)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _labels(report: Mapping[str, Any], member: str) -> dict[str, tuple[str, str]]:
    """By score, the words of both legends."""
    values = {
        (row["calibration"], row["measure"]): row["value"]
        for row in report["figures"]
        if (row["member"], row["prompt"]) == (member, ALL_PROMPTS)
    }
    calibration, refit = report["calibration"], report["refit"]
    words = {
        SERVED: f"expected IoU as served ({calibration['name']})",
        PREDICTED: "predicted IoU, uncalibrated",
        ORACLE: "oracle, which knows the IoU",
    }
    if refit is not None:
        words[REFITTED] = f"expected IoU, refitted on {refit['dataset']}"
    labels = {}
    for score, word in words.items():
        which, error, area = _FIGURES[score]
        said = word if error is None else f"{word}: ECE {values[which, error]:.3f}"
        if score in (SERVED, REFITTED):
            said += (
                f", {100 * calibration['level']:g} % interval holds "
                f"{100 * values[which, 'coverage']:.0f} %"
            )
        labels[score] = (said, f"{word}: area {values[which, area]:.3f}")
    return labels


def _draw_reliability(
    axes: Axes, drawn: MemberCurves, labels: Mapping[str, tuple[str, str]]
) -> None:
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    for score, bins in drawn.reliability.items():
        iou = np.array([found.iou.value for found in bins])
        ends = np.array([(found.iou.low, found.iou.high) for found in bins]).T
        axes.errorbar(
            [found.said for found in bins],
            iou,
            np.maximum(np.nan_to_num([iou - ends[0], ends[1] - iou]), 0),  # NaN: one picture
            color=_COLOURS[score],
            linestyle=_LINES[score],
            marker=_MARKERS[score],
            markersize=5,
            linewidth=1.3,
            elinewidth=1,
            capsize=2,
            label=labels[score][0],
        )
    axes.annotate("too sure", (0.97, 0.03), ha="right", color="grey")
    axes.annotate("too modest", (0.03, 0.94), color="grey")
    axes.set(ylabel="mean true IoU", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.tick_params(labelbottom=False)
    _legend(axes)


def _draw_counts(axes: Axes, drawn: MemberCurves) -> None:
    width = 0.27 / NUM_BINS
    for score, bins in drawn.reliability.items():
        axes.bar(
            [(found.start + found.end) / 2 + _OFFSETS[score] / NUM_BINS for found in bins],
            [found.iou.num_targets for found in bins],
            width,
            color=_COLOURS[score],
        )
    axes.set(xlabel="IoU that was said", ylabel="masks")
    axes.set_xticks(np.linspace(0, 1, NUM_BINS + 1))
    axes.grid(alpha=0.3)


def _draw_risk(axes: Axes, drawn: MemberCurves, labels: Mapping[str, tuple[str, str]]) -> None:
    for score, (coverage, risk) in drawn.risk.items():
        axes.plot(
            coverage,
            risk,
            color=_COLOURS[score],
            linestyle=_LINES[score],
            linewidth=1.5,
            label=labels[score][1],
        )
    axes.set(
        xlabel="share of masks that is kept, highest scores first",
        ylabel="risk: mean of 1 - true IoU",
        xlim=(0, 1),
    )
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    _legend(axes)


def _legend(axes: Axes) -> None:
    """Above the diagram, where it hides no curve."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=9, frameon=False)
