"""From a family, its heads and a data set to the poster's tables as files."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from suresam.datasets import Dataset
from suresam.errors import ConfigurationError
from suresam.evaluation.bootstrap import LEVEL, NUM_RESAMPLES
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.observations.collecting import collect
from suresam.evaluation.observations.plan import PROMPTS, ObservationPlan
from suresam.evaluation.progress import tell_counts
from suresam.evaluation.rows import estimate_row, write_csv
from suresam.evaluation.targets import TargetChoice
from suresam.evaluation.usam.cases import VIEWS, Clicks, read_clicks
from suresam.evaluation.usam.comparison import (
    ComparisonRow,
    Rival,
    check_rivals,
    compare,
    format_comparison,
)
from suresam.evaluation.usam.correlations import Correlation, correlate, format_correlations
from suresam.evaluation.usam.plot import draw_curves
from suresam.evaluation.usam.tables import Ends, Row, format_tables, judge
from suresam.machine import describe_machine
from suresam.outputs import prepare_folder
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads

OBSERVATIONS = "observations"
REPORT, TABLE_CSV, CORRELATION_CSV, COMPARISON_CSV, TEXT = (
    "report.json",
    "tables.csv",
    "correlations.csv",
    "comparison.csv",
    "tables.txt",
)


@dataclass(frozen=True, slots=True)
class UsamEvaluation:
    """Everything that one run found.

    Attributes:
        rows, ends: of the tables.
        correlations: of every member and view.
        clicks: that they rest on.
        rivals, comparison: heads that stand side by side, and their figures; empty without them.
    """

    rows: list[Row]
    ends: list[Ends]
    correlations: list[Correlation]
    clicks: Clicks
    rivals: Sequence[Rival] = ()
    comparison: list[ComparisonRow] = field(default_factory=list)


def evaluate_usam(
    members: Sequence[Contestant],
    heads: UsamHeads | None,
    readings: Sequence[HeadReading],
    dataset: Dataset,
    choice: TargetChoice,
    out: Path,
    stream: TextIO,
    *,
    threads: int = 1,
    rivals: Sequence[Rival] = (),
    circumstances: dict[str, Any] | None = None,
) -> UsamEvaluation:
    """Observe, judge, write `tables.txt`, `report.json`, two CSV and a plot of each view.

    With rivals a third CSV, `comparison.csv`, stands beside them.

    Observations stay in the folder, so that an interrupted run goes on.

    Args:
        members: of a family, cheapest first.
        heads: of that family; None gives the tables without them.
        readings: of every member; gains of a calibration that they follow have rows of their own.
        dataset: annotated pictures that neither members nor heads learned from.
        choice: which targets.
        out: folder for everything.
        stream: where progress is told.
        threads: processes that observe.
        rivals: heads that are compared with the first of them; empty for none.
        circumstances: command and the like, for the report.

    Raises:
        ConfigurationError: no usable target, a folder of another run, heads of other models, rivals
            of other weights or of one name.
        NonFiniteOutput: a member answered with NaN or infinity.
    """
    names = [member.manifest.name for member in members]
    check_rivals(rivals, members)
    prepare_folder(out)
    with tell_counts("pictures", stream) as tell:
        store = collect(
            out / OBSERVATIONS, dataset, members, choice,
            ObservationPlan(("centre_click",), mixtures=True), workers=threads, progress=tell,
        )  # fmt: skip
    observed = store.read(PROMPTS.index("centre_click"))
    clicks = read_clicks(observed, heads, readings)
    print("judging: resampling pictures for the intervals", file=stream, flush=True)
    rows, ends = judge(clicks, names, choice.seed)
    correlations = [
        row
        for view in VIEWS
        for place in range(len(names))
        for row in correlate(clicks, names, view, place, choice.seed)
    ]
    comparison = compare(observed, rivals, names, choice.seed) if rivals else []
    found = UsamEvaluation(rows, ends, correlations, clicks, rivals, comparison)
    _write(found, members, heads, dataset, choice, out, circumstances or {})
    return found


def format_evaluation(found: UsamEvaluation) -> str:
    """Tables and correlations as text."""
    lines = [format_tables(found.rows, found.ends)]
    for member, view in dict.fromkeys((row.member, row.view) for row in found.correlations):
        mine = [row for row in found.correlations if (row.member, row.view) == (member, view)]
        lines.append(
            f"\nPearson correlations, {member}, {VIEWS[view]}\n{format_correlations(mine)}"
        )
    if found.comparison:
        lines.append(f"\n{format_comparison(found.comparison, found.rivals)}")
    return "\n".join(lines)


def _write(
    found: UsamEvaluation,
    members: Sequence[Contestant],
    heads: UsamHeads | None,
    dataset: Dataset,
    choice: TargetChoice,
    out: Path,
    circumstances: dict[str, Any],
) -> None:
    observed = found.clicks.observed
    title = f"{dataset.name}, {len(observed['picture'])} clicks"
    report = circumstances | {
        "machine": describe_machine(),
        "members": {m.manifest.name: {"sha256": m.sha256, "device": m.predictor.backbone.device}
                    for m in members},
        "heads": None if heads is None else asdict(heads.info),
        "dataset": dataset.name,
        "targets": asdict(choice)
        | {"clicks": len(observed["picture"]), "pictures": len(set(observed["picture"].tolist()))},
        "intervals": {"level": LEVEL, "resamples": NUM_RESAMPLES, "resampled": "images"},
        "tables": [
            {"table": r.table, "view": r.view, "member": r.member, "measure": r.measure,
             "against": r.against, **estimate_row(r.estimate, "clicks")} for r in found.rows
        ],
        "mean_iou": [
            {"table": e.table, "view": e.view, "member": e.member,
             "cheap": estimate_row(e.cheap, "clicks"),
             "expensive": estimate_row(e.expensive, "clicks")} for e in found.ends
        ],
        "correlations": [
            {"member": c.member, "view": c.view, "first": c.first, "second": c.second,
             **estimate_row(c.estimate, "clicks")} for c in found.correlations
        ],
        "comparison": {
            "heads": [
                {"name": r.file.name, "sha256": r.file.sha256, **asdict(r.file.heads.info)}
                for r in found.rivals
            ],
            "tables": [
                {"table": c.table, "view": c.view, "member": c.member, "measure": c.measure,
                 "heads": c.heads, "against": c.against, **estimate_row(c.estimate, "clicks")}
                for c in found.comparison
            ],
        },
    }  # fmt: skip
    try:
        (out / REPORT).write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
        (out / TEXT).write_text(f"{title}\n\n{format_evaluation(found)}\n")
        write_csv(out / TABLE_CSV, report["tables"])
        write_csv(out / CORRELATION_CSV, report["correlations"])
        if found.comparison:
            write_csv(out / COMPARISON_CSV, report["comparison"]["tables"])
        for view in VIEWS:
            names = [member.manifest.name for member in members]
            curves = draw_curves(found.clicks, names, view, title)
            (out / f"curves-{view}.png").write_bytes(curves)
    except OSError as error:
        raise ConfigurationError(f"cannot write into {out}: {error.strerror}") from error
