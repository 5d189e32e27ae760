"""One picture of what advice is worth."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from suresam.evaluation.advice.figures import POLICIES, AdviceFigures
from suresam.evaluation.bootstrap import Estimate

_CLICKS = {"random": "random", "advised": "advised", "ideal": "ideal (bound)"}
_COLOURS = ("#7f7f7f", "#d62728", "#1f77b4")


def draw_advice(figures: Mapping[str, AdviceFigures], title: str) -> bytes:
    """A row a member as a PNG: gains of clicks, expected and true gains, mean IoU by policy."""
    canvas = Figure(figsize=(16, 4.6 * len(figures)), dpi=110, layout="constrained")
    canvas.suptitle(title, fontweight="bold")
    widths = {"width_ratios": (0.8, 1.2, 1)}
    grid = canvas.subplots(len(figures), 3, squeeze=False, gridspec_kw=widths)
    for (clicks, gains, policies), (name, found) in zip(grid, figures.items(), strict=True):
        _bars(clicks, list(_CLICKS.values()), [found.clicks[key] for key in _CLICKS], _COLOURS)
        clicks.set(title=f"{name}: one more click", ylabel="gain in IoU")
        _draw_gains(gains, found)
        gains.set(title=f"{name}: what was promised, what came")
        names = [POLICIES[key] for key in found.policies]
        _horizontal(policies, names, list(found.policies.values()))
        policies.set(title=f"{name}: mean IoU")
    buffer = BytesIO()
    canvas.savefig(buffer, format="png")
    return buffer.getvalue()


def _bars(
    axes: Axes, names: Sequence[str], means: Sequence[Estimate], colours: Sequence[str]
) -> None:
    places = np.arange(len(names))
    values = [e.value for e in means]
    axes.bar(places, values, color=colours, width=0.6, yerr=_errors(means), capsize=4)
    axes.set_xticks(places, names)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.grid(axis="y", alpha=0.3)


def _draw_gains(axes: Axes, found: AdviceFigures) -> None:
    """Expected beside realised gains of every action, with the share of answers that it got."""
    places = np.arange(len(found.actions))
    for offset, label, colour in ((-0.2, "expected", "#c7c7c7"), (0.2, "true", "#2ca02c")):
        means = [a.expected if label == "expected" else a.realised for a in found.actions.values()]
        values = [e.value for e in means]
        axes.bar(places + offset, values, 0.38, color=colour, yerr=_errors(means), capsize=3,
                 label=label)  # fmt: skip
    names = [f"{name}\n{a.share.value:.0%}" for name, a in found.actions.items()]
    axes.set_xticks(places, names)
    axes.set_xlabel("action, share of answers")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylabel("gain in IoU")
    axes.grid(axis="y", alpha=0.3)
    axes.legend()


def _horizontal(axes: Axes, names: Sequence[str], means: Sequence[Estimate]) -> None:
    places = np.arange(len(names))[::-1]
    values = [e.value for e in means]
    axes.barh(places, values, 0.6, color="#1f77b4", xerr=_errors(means), capsize=3, alpha=0.85)
    for place, estimate in zip(places, means, strict=True):
        axes.text(estimate.high + 0.01, place, f"{estimate.value:.3f}", va="center", fontsize=9)
    axes.set_yticks(places, names)
    axes.set_xlim(0, 1)
    axes.grid(axis="x", alpha=0.3)


def _errors(means: Sequence[Estimate]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    lengths = np.array([[e.value - e.low for e in means], [e.high - e.value for e in means]])
    # Of equal values the resampled means differ in their last digit; of one picture there is none.
    return np.asarray(np.maximum(np.nan_to_num(lengths), 0.0))
