"""The report of an evaluation as files: JSON, two CSV, a plot and contact sheets."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from suresam.errors import ConfigurationError
from suresam.evaluation.figures import clicks_needed
from suresam.evaluation.measuring import BOUNDARY_F, IOU, PREDICTED_IOU, Scores
from suresam.evaluation.pictures import best_median_worst
from suresam.evaluation.plots import draw_plots
from suresam.evaluation.run import Evaluation, describe
from suresam.outputs import prepare_folder

REPORT, FIGURES, TARGETS, PLOT = "report.json", "figures.csv", "targets.csv", "figures.png"


def write_files(evaluation: Evaluation, circumstances: dict[str, Any], folder: Path) -> list[Path]:
    """Write everything into a folder, which is made if it is not there.

    Args:
        evaluation: to report on.
        circumstances: machine, command, weights and the like; they join the JSON.
        folder: files of the same names in it are replaced.

    Returns:
        `report.json` (all figures), `figures.csv` (a row a figure), `targets.csv` (a row a
        target), `figures.png`, and a `contact-MODEL.png` for every model.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    prepare_folder(folder)
    try:
        report = circumstances | describe(evaluation)
        (folder / REPORT).write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
        _write_csv(folder / FIGURES, _figure_rows(evaluation))
        _write_csv(folder / TARGETS, _target_rows(evaluation))
        title = f"{evaluation.dataset.name}, {len(evaluation.measured.targets)} targets"
        plot = draw_plots(evaluation.figures, evaluation.measured, title)
        (folder / PLOT).write_bytes(plot)
        sheets = []
        for who in evaluation.measured.models:
            sheet = best_median_worst(evaluation.dataset, evaluation.measured, who)
            sheets.append(folder / f"contact-{who}.png")
            Image.fromarray(sheet).save(sheets[-1])
    except OSError as error:
        raise ConfigurationError(f"cannot write into {folder}: {error.strerror}") from error
    return [folder / REPORT, folder / FIGURES, folder / TARGETS, folder / PLOT, *sheets]


def _figure_rows(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    yield ("who", "question", "measure", "size", "value", "low", "high", "targets", "images")
    for row in evaluation.figures.rows:
        e = row.estimate
        numbers = (_number(e.value), _number(e.low), _number(e.high), e.num_targets, e.num_images)
        yield (row.who, row.question, row.measure, row.size, *numbers)


def _target_rows(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    """A row a target; a column for every question, measure and model, as MODEL.question."""
    measured = evaluation.measured
    columns: dict[str, Iterable[object]] = {}
    for who, questions in measured.models.items():
        for question, scores in questions.items():
            columns |= _columns(f"{who}.{question}", scores)
        columns[f"{who}.clicks_to_iou_0.8"] = clicks_needed(questions).astype(int)
    for name, scores in measured.baselines.items():
        columns |= _columns(name, scores, has_prediction=False)
    where = ("image_id", "example", "mask", "share", "click_x", "click_y", "x1", "y1", "x2", "y2")
    yield (*where, *columns)
    for target, values in zip(measured.targets, zip(*columns.values(), strict=True), strict=True):
        place = (target.image_id, target.example, target.index, _number(target.share))
        yield (*place, *target.click, *(int(side) for side in target.box), *values)


def _columns(name: str, scores: Scores, has_prediction: bool = True) -> dict[str, Iterable[object]]:
    measures = {name: IOU, f"{name}_boundary_f": BOUNDARY_F}
    if has_prediction:
        measures[f"{name}_predicted"] = PREDICTED_IOU
    return {key: [_number(value) for value in scores[:, i]] for key, i in measures.items()}


def _number(value: float) -> str:
    """Six digits; empty for what was not asked."""
    return "" if value != value else f"{value:.6f}"


def _write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
