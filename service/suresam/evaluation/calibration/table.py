"""The figures of a report on a calibration as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from suresam.columns import aligned
from suresam.evaluation.calibration.curves import REFITTED, SERVED
from suresam.evaluation.calibration.judging import WORDS

ALL_PROMPTS = "all"
"""Where figures are of all kinds of prompts together."""

DIFFERENCE = "refitted_minus_served"
"""Where figures are what a refitted calibration has more than the served one."""

Report = Mapping[str, Any]


def format_report(report: Report) -> str:
    """All kinds of prompts together: a column a member, or a table each beside a refit.

    Args:
        report: as `evaluating.evaluate_calibration` returns it.
    """
    calibration, targets, refit = report["calibration"], report["targets"], report["refit"]
    lines = [
        f"calibration {calibration['name']}, fitted on {calibration['dataset']}, judged on "
        f"{report['dataset']}: {targets['pictures']} pictures, "
        + ", ".join(f"{count} masks of {member}" for member, count in targets["masks"].items()),
        f"95 % intervals by picture; the intervals of the calibration are to hold "
        f"{100 * calibration['level']:g} %",
    ]
    lines += [f"warning: {warning}" for warning in report["warnings"]]
    members = list(report["members"])
    if refit is None:
        return "\n".join([*lines, "", *_table(report, [(m, SERVED, m) for m in members])])
    lines.append(
        f"refitted on {refit['dataset']}: {refit['targets']['pictures']} pictures; in the last "
        f"column an interval without 0 is a difference"
    )
    for member in members:
        columns = [
            (member, SERVED, "served"),
            (member, REFITTED, "refitted"),
            (member, DIFFERENCE, "refitted - served"),
        ]
        lines += ["", member, *_table(report, columns)]
    return "\n".join(lines)


def _table(report: Report, columns: Sequence[tuple[str, str, str]]) -> list[str]:
    """Columns by member and calibration, each with its title."""
    cells = {
        (row["member"], row["calibration"], row["measure"]): row
        for row in report["figures"]
        if row["prompt"] == ALL_PROMPTS
    }
    rows = [("", *(title for _, _, title in columns))]
    for measure, words in WORDS.items():
        found = (
            _cell(cells.get((member, which, measure)), which == DIFFERENCE)
            for member, which, _ in columns
        )
        rows.append((words, *found))
    return aligned(rows)


def _cell(row: Mapping[str, Any] | None, is_difference: bool) -> str:
    if row is None:
        return ""
    numbers = (row["value"], row["low"], row["high"])
    form = "+.3f" if is_difference else ".3f"
    value, low, high = ("-" if n is None else format(n, form) for n in numbers)
    return f"{value} [{low}, {high}]"
