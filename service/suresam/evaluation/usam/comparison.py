"""Heads of several files side by side, on the same clicks: which of them find more?

Its first use is UncertainSAM's token ablation: heads that read both tokens, or one alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from suresam.columns import aligned
from suresam.errors import CheckpointError, ConfigurationError
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.relative_auc import weighted_relative_auc
from suresam.evaluation.usam.cases import (
    MEASURES,
    TABLES,
    VIEWS,
    Observed,
    View,
    cases_of,
    read_clicks,
)
from suresam.evaluation.usam.tables import USAM, auc_difference, told_percent, which_tables
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.member_heads import HeadFile


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """Heads that stand against others.

    Attributes:
        file: of the heads.
        readings: of every member.
    """

    file: HeadFile
    readings: Sequence[HeadReading]


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One figure of one head file, or the difference to another's.

    Attributes:
        table, view, member: which table, from which member.
        measure: of the heads' own.
        heads: name of the file.
        against: name of the file whose figure is subtracted, or None.
        estimate: of the relative area under the curve, 0 to 1, or of the difference.
    """

    table: str
    view: View
    member: str
    measure: str
    heads: str
    against: str | None
    estimate: Estimate


def check_rivals(rivals: Sequence[Rival], members: Sequence[Contestant]) -> None:
    """Refuse heads that were trained on other weights, and names that tell two files apart badly.

    Raises:
        CheckpointError: a file notes other weights of a member.
        ConfigurationError: two files have one name.
    """
    names = [rival.file.name for rival in rivals]
    if len(set(names)) < len(names):
        raise ConfigurationError(
            f"head files are told apart by their names, and two have one: {', '.join(names)}"
        )
    for rival in rivals:
        for member in members:
            noted = rival.file.heads.info.trained_on.get(member.manifest.name)
            if noted not in (None, member.sha256):
                raise CheckpointError(
                    f"{rival.file.name} was trained on other weights of {member.manifest.name} and "
                    f"cannot be compared: SHA-256 {noted}, here {member.sha256}"
                )


def compare(
    observed: Observed, rivals: Sequence[Rival], names: list[str], seed: int = 0
) -> list[ComparisonRow]:
    """The heads' own rows of all tables for every file, and how far each is from the first.

    Differences are paired: both figures of a resample are of the same clicks.

    Args:
        observed: as `ObservationStore.read` gives it.
        rivals: at least one; the others are compared with the first.
        names: of the members, cheapest first.
        seed: of the intervals.
    """
    read = [read_clicks(observed, rival.file.heads, rival.readings) for rival in rivals]
    first = rivals[0].file.name
    rows: list[ComparisonRow] = []
    for table, view, member in which_tables(len(names)):
        cases = [cases_of(clicks, table, view, member) for clicks in read]
        gain = cases[0].gain
        bootstrap = ImageBootstrap(cases[0].picture, seed)
        for measure in USAM:
            start = cases[0].scores.get(measure)
            for rival, theirs in zip(rivals, cases, strict=True):
                score, name = theirs.scores.get(measure), rival.file.name
                if score is None:  # heads of other members have no gap of this pair
                    continue
                place = table, view, names[member], measure, name
                estimate = bootstrap.statistic(weighted_relative_auc, gain, score)
                rows.append(ComparisonRow(*place, None, estimate))
                if name != first and start is not None:
                    estimate = bootstrap.statistic(auc_difference, gain, score, start)
                    rows.append(ComparisonRow(*place, first, estimate))
    return rows


def format_comparison(rows: Sequence[ComparisonRow], rivals: Sequence[Rival]) -> str:
    """A block for each table and view, relative areas in per cent; a column for each file."""
    names = [rival.file.name for rival in rivals]
    lines = ["heads side by side, and what each has more than the first"]
    for table, view in dict.fromkeys((row.table, row.view) for row in rows):
        here = [row for row in rows if (row.table, row.view) == (table, view)]
        block: list[tuple[str, ...]] = [("", *names)]
        block.append(("tokens that they read", *(r.file.heads.info.tokens for r in rivals)))
        for member, measure in dict.fromkeys((row.member, row.measure) for row in here):
            mine = [row for row in here if (row.member, row.measure) == (member, measure)]
            figures = {r.heads: told_percent(r.estimate) for r in mine if r.against is None}
            more = {r.heads: told_percent(r.estimate) for r in mine if r.against is not None}
            block.append(
                (f"{member} {MEASURES[measure]}", *(figures.get(name, "-") for name in names))
            )
            block.append((f"  - {names[0]}", *(more.get(name, "") for name in names)))
        lines += ["", f"{table}: {TABLES[table]}; {VIEWS[view]}", *aligned(block)]
    return "\n".join(lines)
