"""Supervision curves: mean IoU against the share of clicks whose better answer is paid for."""

from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from suresam.evaluation.relative_auc import supervision_curve
from suresam.evaluation.usam.cases import MEASURES, TABLES, VIEWS, Cases, Clicks, View, cases_of

_STYLES = {
    "sam_score": ("#7f7f7f", "-"),
    "entropy": ("#1f77b4", "-"),
    "h_y": ("#9467bd", ":"),
    "h_theta": ("#2ca02c", "--"),
    "h_a": ("#2ca02c", "--"),
    "h_xp": ("#2ca02c", "--"),
    "delta": ("#ff7f0e", "-"),
    "delta_star": ("#e377c2", "-"),
    "calibrated": ("#8c1515", "-"),
}


def draw_curves(clicks: Clicks, names: list[str], view: View, title: str) -> bytes:
    """The three tables of the first member side by side, as a PNG."""
    tables = [table for table in TABLES if table != "model" or len(names) > 1]
    figure = Figure(figsize=(5 * len(tables), 5.6), dpi=110, layout="constrained")
    figure.suptitle(f"{title}\n{VIEWS[view]}", fontweight="bold")
    for axes, table in zip(figure.subplots(1, len(tables)), tables, strict=True):
        _draw(axes, cases_of(clicks, table, view, 0), table)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw(axes: Axes, cases: Cases, table: str) -> None:
    share = np.linspace(0, 1, len(cases.gain) + 1)
    start = cases.cheap.mean()
    best = start + supervision_curve(cases.gain, cases.gain)
    axes.plot(share, best, color="black", linewidth=1, label="oracle")
    axes.plot([0, 1], [start, cases.expensive.mean()], color="black", linewidth=1, linestyle=":",
              label="random")  # fmt: skip
    for name, score in cases.scores.items():
        colour, line = _STYLES[name]
        curve = start + supervision_curve(cases.gain, score)
        width = 2.2 if name == "calibrated" else 1.3
        axes.plot(share, curve, color=colour, linestyle=line, linewidth=width, label=MEASURES[name])
    axes.set(
        title=f"{table}: {TABLES[table]}",
        xlabel="share of clicks paid for",
        ylabel="mean IoU",
        xlim=(0, 1),
    )
    axes.title.set_fontsize(9)
    axes.grid(alpha=0.3)
    # Below: inside, nine names would cover one curve or another.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=8, frameon=False)
