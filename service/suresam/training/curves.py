"""Curves of a training, drawn from its log."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suresam.errors import ConfigurationError
from suresam.training.progress import LOG_FILE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES_FILE = "curves.png"

Entry = dict[str, Any]

AXES = ("minutes", "steps")
"""What the curves can be drawn against."""

_LOSSES = {
    "loss": ("all together", "#333333"),
    "fine": ("contrast, fine map", "#0f8b8d"),
    "coarse": ("contrast, coarse map", "#a26769"),
}
_BATCH = {
    "best_iou": ("one click, best of three", "#e07b00"),
    "top_iou": ("one click, highest predicted IoU", "#2b6cb0"),
    "corrected_iou": ("corrected", "#b83280"),
    "box_iou": ("box, drawn", "#2f855a"),
    "corners_iou": ("box, corners only", "#805ad5"),
}
_HELD_OUT = {
    "held_out_best_iou": _BATCH["best_iou"],
    "held_out_top_iou": _BATCH["top_iou"],
    "held_out_box_iou": _BATCH["corners_iou"],
    "held_out_contrast_iou": ("features like the clicked one", "#0f8b8d"),
}
"""Figures of the log by name, each with its words and colour."""


def read_log(folder: Path) -> list[Entry]:
    """The entries of a training's log, in order.

    A training that went on from an earlier state logged some steps twice; the later entries
    count. So does a line that a crash cut off: it is left out.

    Raises:
        ConfigurationError: there is no log, or nothing in it.
    """
    path = folder / LOG_FILE
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ConfigurationError(f"no training log at {path} ({error.strerror})") from error
    entries: list[Entry] = []
    for line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        while entries and entries[-1]["minutes"] > entry["minutes"]:
            entries.pop()
        entries.append(entry)
    if not entries:
        raise ConfigurationError(f"the training log {path} is empty")
    return entries


def check_matplotlib() -> None:
    """Find out early whether curves can be drawn.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "curves need matplotlib: `make setup` in a checkout, or there "
            ".venv/bin/pip install -e '.[train]'"
        ) from error


def draw_curves(entries: Sequence[Entry], path: Path, against: str = "minutes") -> None:
    """Write a PNG with the losses, the IoUs of the batches and those of held-out targets.

    Args:
        entries: of `read_log`.
        path: file to write, all or nothing.
        against: one of `AXES`; steps are numbered through both stages.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FormatStrFormatter

    places = _places(entries, against)
    figure = Figure(figsize=(9, 10), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    losses, batch, held_out = figure.subplots(3, 1, sharex=True)
    losses.set_yscale("log")
    for axis_format in (losses.yaxis.set_major_formatter, losses.yaxis.set_minor_formatter):
        axis_format(FormatStrFormatter("%g"))
    _draw(losses, entries, places, _LOSSES, "loss, running mean")
    _draw(batch, entries, places, _BATCH, "IoU in training, running mean")
    _draw(held_out, entries, places, _HELD_OUT, "IoU of held-out targets", marker="o")
    for axes in (batch, held_out):
        axes.set_ylim(0, 1)
    for axes in (losses, batch, held_out):
        _mark_changes(axes, entries, places, is_named=axes is losses)
        axes.grid(alpha=0.25)
    held_out.set_xlabel("minutes of training" if against == "minutes" else "steps")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    canvas.print_png(str(partial))  # type: ignore[no-untyped-call]
    partial.replace(path)


def _places(entries: Sequence[Entry], against: str) -> list[float]:
    if against == "minutes":
        return [entry["minutes"] for entry in entries]
    before, last, places = 0, entries[0], []
    for entry in entries:
        if entry["stage"] != last["stage"]:
            before += last["step"]
        last = entry
        places.append(float(before + entry["step"]))
    return places


def _draw(
    axes: "Axes",
    entries: Sequence[Entry],
    places: Sequence[float],
    figures: Mapping[str, tuple[str, str]],
    label: str,
    marker: str = "",
) -> None:
    """One line a figure and stage: the two stages' losses are not the same thing."""
    for name, (words, colour) in figures.items():
        found = [
            (x, e[name], e["stage"]) for x, e in zip(places, entries, strict=True) if name in e
        ]
        for number, (_, points) in enumerate(groupby(found, key=lambda point: point[2])):
            across, up, _ = zip(*points, strict=True)
            axes.plot(across, up, color=colour, label="" if number else words, lw=1.5,
                      marker=marker or ("." if len(across) == 1 else ""), ms=4)  # fmt: skip
    axes.set_ylabel(label)
    if axes.lines:
        axes.legend(loc="best", fontsize=8, ncols=2, framealpha=0.8)
    else:
        axes.text(0.5, 0.5, "nothing yet", ha="center", va="center", transform=axes.transAxes)


def _mark_changes(
    axes: "Axes", entries: Sequence[Entry], places: Sequence[float], is_named: bool
) -> None:
    """A line where a stage begins, a faint one where the input size changes."""
    stage, size = None, None
    for x, entry in zip(places, entries, strict=True):
        new_size = entry.get("input_size", size)
        if entry["stage"] == stage and new_size == size:
            continue
        is_stage = entry["stage"] != stage
        axes.axvline(x, color="#444444", lw=1.0 if is_stage else 0.7,
                     ls="-" if is_stage else ":")  # fmt: skip
        if is_named and is_stage:
            axes.text(x, 1.01, f" {entry['stage']}", transform=axes.get_xaxis_transform())
        if is_named and new_size != size:
            axes.text(x, 0.98, f"{new_size:g} px ", fontsize=8, rotation=90, ha="left", va="top",
                      transform=axes.get_xaxis_transform())  # fmt: skip
        stage, size = entry["stage"], new_size
