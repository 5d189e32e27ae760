"""How well every measure finds the clicks for which paying more would help."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.columns import aligned
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.relative_auc import weighted_relative_auc
from suresam.evaluation.usam.cases import MEASURES, TABLES, VIEWS, Cases, Clicks, View, cases_of

BASELINES, USAM = ("sam_score", "entropy"), ("delta", "delta_star", "calibrated")
"""Measures that heads are compared with, and the heads' own."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a table, or the difference of two.

    Attributes:
        table, view, member: which table, from which member.
        measure: of `MEASURES`.
        against: the measure that it is compared with, or None.
        estimate: of the relative area under the curve, 0 to 1, or of the difference.
    """

    table: str
    view: View
    member: str
    measure: str
    against: str | None
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Ends:
    """Mean IoU of the cheap and of the expensive answers of a table."""

    table: str
    view: View
    member: str
    cheap: Estimate
    expensive: Estimate


def each_table(clicks: Clicks, names: list[str]) -> Iterator[tuple[str, View, int, Cases]]:
    """Every table in every view: the model table of the first member, the others of each.

    Args:
        names: of the members, cheapest first.
    """
    for table, view, member in which_tables(len(names)):
        yield table, view, member, cases_of(clicks, table, view, member)


def which_tables(num_members: int) -> Iterator[tuple[str, View, int]]:
    """Names, views and members of `each_table`."""
    for table in TABLES:
        for view in VIEWS:
            for member in range(num_members):
                if table != "model" or (member == 0 and num_members > 1):
                    yield table, view, member


def judge(clicks: Clicks, names: list[str], seed: int = 0) -> tuple[list[Row], list[Ends]]:
    """All tables with 95 % intervals by picture.

    Args:
        names: of the members, cheapest first.
        seed: of the intervals.
    """
    rows: list[Row] = []
    ends: list[Ends] = []
    for table, view, member, cases in each_table(clicks, names):
        bootstrap = ImageBootstrap(cases.picture, seed)
        name = names[member]
        cheap, expensive = bootstrap.mean(cases.cheap), bootstrap.mean(cases.expensive)
        ends.append(Ends(table, view, name, cheap, expensive))
        for measure, score in cases.scores.items():
            estimate = bootstrap.statistic(weighted_relative_auc, cases.gain, score)
            rows.append(Row(table, view, name, measure, None, estimate))
        for measure in USAM:
            for other in BASELINES:
                if measure in cases.scores:
                    pair = cases.scores[measure], cases.scores[other]
                    estimate = bootstrap.statistic(auc_difference, cases.gain, *pair)
                    rows.append(Row(table, view, name, measure, other, estimate))
    return rows, ends


def auc_difference(gain: Values, first: Values, second: Values, weights: Values) -> Values:
    """`weighted_relative_auc` of one score less that of another on the same resamples, (R,)."""
    return weighted_relative_auc(gain, first, weights) - weighted_relative_auc(
        gain, second, weights
    )


def format_tables(rows: list[Row], ends: list[Ends]) -> str:
    """A block for each table and view, relative areas in per cent; a column for each member."""
    lines: list[str] = []
    for table, view in dict.fromkeys((end.table, end.view) for end in ends):
        here = [row for row in rows if (row.table, row.view) == (table, view)]
        told = {end.member: end for end in ends if (end.table, end.view) == (table, view)}
        block: list[tuple[str, ...]] = [("", *told)]
        block.append(("mean IoU, cheap", *(_iou(end.cheap) for end in told.values())))
        block.append(("mean IoU, expensive", *(_iou(end.expensive) for end in told.values())))
        for measure, against in dict.fromkeys((row.measure, row.against) for row in here):
            cells = {
                row.member: told_percent(row.estimate)
                for row in here
                if (row.measure, row.against) == (measure, against)
            }
            words = MEASURES[measure] + ("" if against is None else f" - {MEASURES[against]}")
            block.append((words, *(cells.get(member, "-") for member in told)))
        lines += [f"{table}: {TABLES[table]}; {VIEWS[view]}", *aligned(block), ""]
    return "\n".join(lines).rstrip()


def _iou(e: Estimate) -> str:
    return f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"


def told_percent(e: Estimate, sign: str = "") -> str:
    """An estimate and its interval in per cent, with "+" to tell the sign of every number."""
    value, low, high = (f"{100 * number:{sign}.1f}" for number in (e.value, e.low, e.high))
    return f"{value} [{low}, {high}]"
