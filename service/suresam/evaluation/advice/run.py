"""From a calibrated family and a data set to what its advice is worth, as files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from suresam.datasets import Dataset
from suresam.errors import ConfigurationError
from suresam.evaluation.advice.cases import KINDS, cases_of
from suresam.evaluation.advice.figures import AdviceFigures, format_advice, judge_advice
from suresam.evaluation.advice.plot import draw_advice
from suresam.evaluation.bootstrap import LEVEL, NUM_RESAMPLES
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.observations.collecting import collect
from suresam.evaluation.observations.plan import ObservationPlan
from suresam.evaluation.progress import tell_counts
from suresam.evaluation.rows import estimate_row, write_csv
from suresam.evaluation.targets import TargetChoice
from suresam.machine import describe_machine
from suresam.outputs import prepare_folder
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads

OBSERVATIONS, REPORT, TABLE, TEXT, PLOT = (
    "observations",
    "report.json",
    "advice.csv",
    "advice.txt",
    "advice.png",
)


def evaluate_advice(
    members: Sequence[Contestant],
    heads: UsamHeads,
    readings: Sequence[HeadReading],
    dataset: Dataset,
    choice: TargetChoice,
    out: Path,
    stream: TextIO,
    *,
    threads: int = 1,
    circumstances: dict[str, Any] | None = None,
) -> dict[str, AdviceFigures]:
    """Observe, judge, and write `advice.txt`, `advice.png`, `advice.csv` and `report.json`.

    Observations stay in the folder, so that an interrupted run goes on.

    Args:
        members: of a family, cheapest first.
        heads: of that family.
        readings: of every member.
        dataset: annotated pictures that neither members, heads nor calibration learned from.
        choice: which targets.
        out: folder for everything.
        stream: where progress is told.
        threads: processes that observe.
        circumstances: command and the like, for the report.

    Returns:
        By member.

    Raises:
        ConfigurationError: a member without calibration, no usable target, a folder of another
            run.
        NonFiniteOutput: a member answered with NaN or infinity.
    """
    names = [member.manifest.name for member in members]
    for name, reading in zip(names, readings, strict=True):
        if reading.calibrated is None:
            raise ConfigurationError(
                f"{name} gives no advice without a calibration: make one with `suresam calibrate`"
            )
    prepare_folder(out)
    with tell_counts("pictures", stream) as tell:
        store = collect(
            out / OBSERVATIONS, dataset, members, choice,
            ObservationPlan(tuple(KINDS), next_clicks=True), workers=threads, progress=tell,
        )  # fmt: skip
    observed = store.read()
    print("judging: resampling pictures for the intervals", file=stream, flush=True)
    figures = {
        name: judge_advice(cases_of(observed, heads, reading, member), choice.seed)
        for member, (name, reading) in enumerate(zip(names, readings, strict=True))
    }
    rows = _rows(figures)
    num_pictures = len(set(observed["picture"].tolist()))
    title = (
        f"advice on {dataset.name}: {len(observed['prompt'])} prompts "
        f"({', '.join(KINDS).replace('_', ' ')}) on {num_pictures} pictures"
    )
    report = (circumstances or {}) | {
        "machine": describe_machine(),
        "members": {m.manifest.name: {"sha256": m.sha256} for m in members},
        "calibration": readings[0].calibration,
        "dataset": dataset.name,
        "targets": asdict(choice) | {"prompts": len(observed["prompt"])},
        "intervals": {"level": LEVEL, "resamples": NUM_RESAMPLES, "resampled": "images"},
        "figures": rows,
    }
    text = "\n\n".join(format_advice(name, found) for name, found in figures.items())
    try:
        (out / REPORT).write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
        (out / TEXT).write_text(f"{title}\n\n{text}\n")
        write_csv(out / TABLE, rows)
        (out / PLOT).write_bytes(draw_advice(figures, title))
    except OSError as error:
        raise ConfigurationError(f"cannot write into {out}: {error.strerror}") from error
    return figures


def _rows(figures: Mapping[str, AdviceFigures]) -> list[dict[str, Any]]:
    """A row a figure."""
    rows = []
    for member, found in figures.items():
        tables = {
            "click": found.clicks,
            "click_where_advised": found.asked,
            "policy": found.policies,
            **{
                f"action_{measure}": {
                    action: getattr(of_it, measure) for action, of_it in found.actions.items()
                }
                for measure in ("share", "iou", "expected", "realised")
            },
        }
        for table, estimates in tables.items():
            for name, estimate in estimates.items():
                rows.append(
                    {
                        "member": member,
                        "table": table,
                        "name": name,
                        **estimate_row(estimate, "prompts"),
                    }
                )
    return rows
