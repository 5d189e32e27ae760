"""How good a family's uncertainty is: tables, calibration and advice, on scenes and photographs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from suresam.datasets import Dataset, open_dataset
from suresam.datasets.procedural import NUM_SCENES, Scenes
from suresam.evaluation.advice import run as advice
from suresam.evaluation.calibration.evaluating import Refit, evaluate_calibration
from suresam.evaluation.calibration.judging import Figures
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.targets import TargetChoice, usual_choice
from suresam.evaluation.usam.run import REPORT, evaluate_usam
from suresam.uncertainty.calibration import Calibration
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.member_heads import HeadFile

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HeadReports:
    """What the commands of the same names write, each the one on scenes first.

    Attributes:
        tables: of `suresam evaluate usam`.
        calibration: of `suresam evaluate calibration`.
        advice: of `suresam evaluate advice`.
    """

    tables: Sequence[Report]
    calibration: Sequence[Report]
    advice: Sequence[Report]


@dataclass(frozen=True, slots=True)
class HeadResults:
    """What was found out about a family's heads.

    Attributes:
        calibration: of them.
        figures: of the calibration, on the half of its scenes that was not fitted.
        reports: on pictures that nothing was fitted on.
    """

    calibration: Calibration
    figures: Figures
    reports: HeadReports


@dataclass(frozen=True, slots=True)
class Judged:
    """What is judged and how.

    Attributes:
        members: of the family, cheapest first.
        heads: of that family.
        calibration: of these heads.
        state: folder of all observations and reports.
        threads: processes that observe.
        stream: where progress is told.
    """

    members: Sequence[Contestant]
    heads: HeadFile
    calibration: Calibration
    state: Path
    threads: int
    stream: TextIO

    @property
    def readings(self) -> list[HeadReading]:
        """Of every member, calibrated."""
        names = [member.manifest.name for member in self.members]
        info = self.heads.heads.info
        return [HeadReading(info, name, names[-1], self.calibration) for name in names]


def judge_uncertainty(
    judged: Judged,
    table_scenes: int,
    datasets: Sequence[str],
    targets: int,
    refit: str | None = None,
) -> HeadReports:
    """Everything that is said of a family's uncertainty, on pictures that nothing was fitted on.

    Args:
        judged: family, heads and calibration.
        table_scenes: held-out ones that the tables rest on; calibration and advice take fewer.
        datasets: annotated photographs, as `open_dataset` takes them.
        targets: about how many are asked for of each of those.
        refit: photographs of the same kind that another calibration is fitted on, to see what
            calibrating for one's own pictures changes; None for none.
    """
    scenes = open_dataset(f"scenes:{table_scenes}")
    photographs = [open_dataset(name) for name in datasets]
    few = open_dataset(f"scenes:{min(NUM_SCENES, table_scenes)}")
    again = None if refit is None else refit_on(refit, targets)
    return HeadReports(
        [_tables(judged, dataset, targets) for dataset in (scenes, *photographs)],
        [
            _calibration(judged, dataset, targets, None if dataset is few else again)
            for dataset in (few, *photographs)
        ],
        [_advice(judged, dataset, targets) for dataset in (few, *photographs)],
    )


def _choice(dataset: Dataset, targets: int) -> TargetChoice:
    """All scenes, and as many photographs as hold the targets that are wanted."""
    choice = usual_choice(dataset, num_targets=None)
    if isinstance(dataset, Scenes):
        return choice
    return replace(choice, num_images=max(2, targets // choice.per_image))


def refit_on(name: str, targets: int) -> Refit:
    """The photographs that another calibration is fitted on, and which of their targets."""
    dataset = open_dataset(name)
    return Refit(dataset, _choice(dataset, targets))


def _tables(judged: Judged, dataset: Dataset, targets: int) -> Report:
    folder = judged.state / "tables" / dataset.name
    print(f"judging {judged.heads.name} on {dataset.name}", file=judged.stream)
    evaluate_usam(
        judged.members, judged.heads.heads, judged.readings, dataset, _choice(dataset, targets),
        folder, judged.stream, threads=judged.threads,
    )  # fmt: skip
    return _read(folder / REPORT)


def _calibration(judged: Judged, dataset: Dataset, targets: int, refit: Refit | None) -> Report:
    print(f"judging {judged.calibration.name} on {dataset.name}", file=judged.stream)
    return evaluate_calibration(
        judged.members, judged.heads, judged.calibration, dataset, _choice(dataset, targets),
        judged.state / "calibrated" / dataset.name, judged.stream, threads=judged.threads,
        refit=refit,
    )  # fmt: skip


def _advice(judged: Judged, dataset: Dataset, targets: int) -> Report:
    folder = judged.state / "advice" / dataset.name
    print(f"judging the advice on {dataset.name}", file=judged.stream)
    advice.evaluate_advice(
        judged.members, judged.heads.heads, judged.readings, dataset, _choice(dataset, targets),
        folder, judged.stream, threads=judged.threads,
    )  # fmt: skip
    return _read(folder / advice.REPORT)


def _read(path: Path) -> Report:
    report: Report = json.loads(path.read_text())
    return report
