"""How the measures hang together, and which of them goes with the truth."""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from suresam.columns import aligned
from suresam.evaluation.agreement import pearson
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.usam.cases import MEASURES, Clicks, View, cases_of, own_scores

TRUTH, OWN = "iou", "usam"
WORDS = {TRUTH: "IoU_GT", OWN: "USAM"} | MEASURES
DIRECT = {"model": "D*_Theta", "prompt": "D*_Xp", "task": "D*_A"}

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson correlation of two columns over the centre clicks of one member."""

    member: str
    view: View
    first: str
    second: str
    estimate: Estimate


def correlate(
    clicks: Clicks, names: list[str], view: View, member: int, seed: int = 0
) -> list[Correlation]:
    """All pairs of columns, each once and with itself: one triangle of the table.

    Args:
        names: of the members, cheapest first.
        seed: of the intervals.
    """
    columns = _columns(clicks, names, view, member)
    bootstrap = ImageBootstrap(clicks.observed["picture"], seed)
    return [
        Correlation(
            names[member],
            view,
            first,
            second,
            bootstrap.statistic(pearson, columns[first], columns[second]),
        )
        for first, second in combinations_with_replacement(columns, 2)
    ]


def _columns(clicks: Clicks, names: list[str], view: View, member: int) -> dict[str, Values]:
    """In the order of the published table."""
    tables = ("model", "task", "prompt") if member == 0 and len(names) > 1 else ("task", "prompt")
    scores = {table: cases_of(clicks, table, view, member).scores for table in tables}
    iou, own = own_scores(clicks, view, member)
    task, prompt = scores["task"], scores["prompt"]
    columns = {WORDS[TRUTH]: iou, MEASURES["sam_score"]: -prompt["sam_score"]}
    columns["H_Std"] = prompt["entropy"]
    columns[MEASURES["h_y"]] = prompt["h_y"]
    if len(names) > 1:
        columns[MEASURES["h_theta"]] = cases_of(clicks, "model", view, 0).scores["h_theta"]
    columns[MEASURES["h_a"]], columns[MEASURES["h_xp"]] = task["h_a"], prompt["h_xp"]
    if own is not None:
        columns[WORDS[OWN]] = own
        columns |= {
            DIRECT[table]: said["delta_star"]
            for table, said in scores.items()
            if "delta_star" in said
        }
    return columns


def format_correlations(found: list[Correlation]) -> str:
    """The triangle as text, without intervals."""
    names = list(dict.fromkeys(row.first for row in found))
    value = {(row.first, row.second): row.estimate.value for row in found}
    rows = [("", *names)]
    for first in names:
        cells = (value.get((first, second)) for second in names)
        rows.append((first, *("" if cell is None else f"{cell:.2f}" for cell in cells)))
    return "\n".join(aligned(rows))
