"""What a refit found, as text and as rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from suresam.columns import aligned
from suresam.domain import RouteRequest
from suresam.evaluation.rows import estimate_row, rounded, told
from suresam.evaluation.shadow.judging import (
    DIFFERENCE,
    MEASURES,
    REFITTED,
    SERVED,
    Judged,
)
from suresam.evaluation.shadow.refit import LEAST_SAMPLES
from suresam.evaluation.shadow.samples import WORDS, Samples
from suresam.routing.shadow.record import ComparedModels
from suresam.uncertainty.calibration import Curve

_OTHER_CANDIDATE = 0.2
"""IoU by which its like is nearer to a mask than the answer is, where another one was chosen."""

HONEST = (
    "recorded gains are estimates: the difference of the members' expected IoUs, within what their "
    "masks allow; intervals are 95 %"
)


def part_summary(samples: Samples, correction: Curve | None) -> dict[str, float | int | None]:
    """Numbers of one part that need no judging; null without comparisons.

    Args:
        samples: of the part, all of them.
        correction: of its expected gain, or None where there were too few.
    """
    if not len(samples):
        return {"comparisons": 0}
    least = RouteRequest().min_gain
    after = None if correction is None else correction(samples.expected)
    chose_another = samples.matched_iou - samples.iou > _OTHER_CANDIDATE
    return {
        "comparisons": len(samples),
        "expected_gain": _mean(samples.expected),
        "gain": _mean(samples.gain),
        "iou": _mean(samples.iou),
        "another_candidate": _mean(chose_another),
        "small_ms": _mean(samples.small_ms),
        "large_ms": _mean(samples.large_ms),
        "worth_it_served": _mean(samples.expected >= least),
        "worth_it_refitted": None if after is None else _mean(after >= least),
    }


def _mean(values: Any) -> float | None:
    return rounded(float(np.mean(values)))


def figure_rows(judged: Mapping[str, Judged]) -> list[dict[str, Any]]:
    """A row for each part, calibration and measure."""
    return [
        {"prompts": part, "calibration": which, "measure": measure}
        | {k: v for k, v in estimate_row(found, "comparisons").items() if k != "pictures"}
        for part, mine in judged.items()
        for which, figures in mine.figures.items()
        for measure, found in figures.items()
    ]


def format_report(
    models: ComparedModels,
    summaries: Mapping[str, Mapping[str, float | int | None]],
    judged: Mapping[str, Judged],
) -> str:
    """All that was found, for people.

    Args:
        models: that were compared.
        summaries: of every part, see `part_summary`.
        judged: of those with enough comparisons.
    """
    lines = [
        f"{models.large} beside {models.small}, gains expected by calibration {models.calibration}",
        HONEST,
        "",
        *aligned(_summary_rows(summaries)),
    ]
    for part, words in WORDS.items():
        if part not in judged:
            count = summaries[part]["comparisons"]
            lines += ["", f"{words}: {count} comparisons are too few (at least {LEAST_SAMPLES} are "
                      f"needed): its expected gain stays what it is"]  # fmt: skip
            continue
        mine = judged[part]
        columns = (SERVED, REFITTED, DIFFERENCE)
        rows: list[tuple[str, ...]] = [
            (f"{words}, {len(mine.expected[SERVED])} held out", *columns)
        ]
        rows += [
            (text, *(told(mine.figures[which][measure], "+") for which in columns))
            for measure, text in MEASURES.items()
        ]
        lines += ["", *aligned(rows)]
        if not mine.is_better:
            lines.append(
                f"{words}: no surely smaller error than as served, which may be good enough; more "
                f"comparisons would tell"
            )
    return "\n".join(lines)


_SUMMARY = {
    "comparisons": ("comparisons", "{:d}"),
    "expected_gain": ("mean expected gain", "{:+.3f}"),
    "gain": ("mean recorded gain", "{:+.3f}"),
    "iou": ("mean IoU between both answers", "{:.3f}"),
    "another_candidate": ("answers where the large one chose another candidate", "{:.0%}"),
    "small_ms": ("device milliseconds of the small one", "{:.1f}"),
    "large_ms": ("of the large one", "{:.1f}"),
    "worth_it_served": (f"expected to gain {RouteRequest().min_gain:g} or more", "{:.0%}"),
    "worth_it_refitted": ("the same after the refit", "{:.0%}"),
}


def _summary_rows(
    summaries: Mapping[str, Mapping[str, float | int | None]],
) -> list[tuple[str, ...]]:
    rows = [("", *(WORDS[part] for part in summaries))]
    for name, (words, form) in _SUMMARY.items():
        cells = (mine.get(name) for mine in summaries.values())
        rows.append((words, *("-" if cell is None else form.format(cell) for cell in cells)))
    return rows
