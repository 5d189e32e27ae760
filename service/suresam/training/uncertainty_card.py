"""What a model card says of a family's uncertainty, as Markdown."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from suresam.evaluation.advice.figures import CLICKS, POLICIES
from suresam.evaluation.calibration.curves import REFITTED, SERVED
from suresam.evaluation.calibration.judging import MEASURES as CALIBRATION_MEASURES
from suresam.evaluation.calibration.judging import WORDS
from suresam.evaluation.calibration.table import ALL_PROMPTS, DIFFERENCE
from suresam.evaluation.usam.cases import MEASURES
from suresam.training.card_table import table, told
from suresam.training.family_judging import HeadResults

Report = Mapping[str, Any]


def uncertainty_lines(heads: HeadResults) -> Iterable[str]:
    """Tables, calibration and advice, every section after an empty line."""
    for report in heads.reports.tables:
        yield ""
        yield from _table_lines(report)
    yield ""
    yield from _fit_lines(heads)
    for report in heads.reports.calibration:
        yield ""
        yield from _calibration_lines(report)
    for report in heads.reports.advice:
        yield ""
        yield from _advice_lines(report)


def _table_lines(report: Report) -> Iterable[str]:
    """The tables as a service can know them; a column for each table and member."""
    rows = [row for row in report["tables"] if row["view"] == "known"]
    columns = list(dict.fromkeys((row["table"], row["member"]) for row in rows))
    cells = {(r["table"], r["member"], r["measure"], r["against"]): r for r in rows}
    targets = report["targets"]
    yield f"## Uncertainty on {report['dataset']}"
    yield ""
    yield (
        f"{targets['clicks']:,} centre clicks on {targets['pictures']:,} pictures. Which of them "
        f"would the large member, seven more clicks, or the best of the three masks improve? "
        f"Relative area under the supervision curve in %, 50 by chance and 100 at best, as a "
        f"service can know it: for the mask of highest predicted IoU."
    )
    yield ""
    kinds = list(dict.fromkeys((row["measure"], row["against"]) for row in rows))
    yield from table(
        ["", *(f"{name}, {member}" for name, member in columns)],
        (
            [MEASURES[measure] + ("" if against is None else f" - {MEASURES[against]}"),
             *(told(cells.get((*column, measure, against)), 100, 1) for column in columns)]
            for measure, against in kinds
        ),
    )  # fmt: skip


def _fit_lines(heads: HeadResults) -> Iterable[str]:
    calibration = heads.calibration
    yield f"## Calibration {calibration.name}"
    yield ""
    yield (
        f"Fitted on {calibration.dataset}, drawn for this purpose. Figures of one that was fitted "
        f"on half of these scenes, on the other half, over all masks of all kinds of prompts. The "
        f"interval is to hold {100 * calibration.level:g} % of them."
    )
    yield ""
    yield from table(
        ["", *heads.figures],
        (
            [words, *(told(asdict(member[name])) for member in heads.figures.values())]
            for name, words in CALIBRATION_MEASURES.items()
        ),
    )


def _calibration_lines(report: Report) -> Iterable[str]:
    cells = {
        (row["member"], row["calibration"], row["measure"]): row
        for row in report["figures"]
        if row["prompt"] == ALL_PROMPTS
    }
    titles = {SERVED: "", REFITTED: ", refitted", DIFFERENCE: ", refitted - served"}
    columns = list(dict.fromkeys((member, which) for member, which, _ in cells))
    yield f"## Calibration {report['calibration']['name']} on {report['dataset']}"
    yield ""
    text = f"All masks of all kinds of prompts on {report['targets']['pictures']} pictures."
    if report["refit"] is not None:
        text += (
            f" Refitted: a calibration of the same heads, fitted on {report['refit']['dataset']}."
        )
    yield text
    yield ""
    yield from table(
        ["", *(member + titles[which] for member, which in columns)],
        (
            [words, *(told(cells.get((*column, measure))) for column in columns)]
            for measure, words in WORDS.items()
        ),
    )


def _advice_lines(report: Report) -> Iterable[str]:
    cells = {(row["member"], row["table"], row["name"]): row for row in report["figures"]}
    members = list(report["members"])
    yield f"## Advice on {report['dataset']}"
    yield ""
    yield (
        f"{report['targets']['prompts']:,} prompts: centre clicks, clicks anywhere, boxes. First "
        f"what one more click with its true label adds to the IoU, then the mean IoU of doing what "
        f"is advised, then each action: how often it is advised, what is promised, what comes."
    )
    yield ""
    yield from table(
        ["one more click", *members],
        ([words, *(told(cells.get((m, "click", name))) for m in members)]
         for name, words in CLICKS.items()),
    )  # fmt: skip
    yield ""
    yield from table(
        ["mean IoU", *members],
        ([words, *(told(cells.get((m, "policy", name))) for m in members)]
         for name, words in POLICIES.items()),
    )  # fmt: skip
    yield ""
    yield from table(
        ["action", "member", "share of answers", "IoU before", "expected gain", "gain"],
        (
            [
                name,
                member,
                *(told(cells[member, f"action_{measure}", name])
                  for measure in ("share", "iou", "expected", "realised")),
            ]
            for member, kind, name in cells
            if kind == "action_share"
        ),
    )  # fmt: skip
