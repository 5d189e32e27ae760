"""From the calibration that a family is served with to a report on other annotated pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from suresam.datasets import Dataset
from suresam.datasets.procedural import Scenes
from suresam.errors import ConfigurationError
from suresam.evaluation.bootstrap import LEVEL, NUM_RESAMPLES
from suresam.evaluation.calibration.curves import REFITTED, SERVED, curves_of
from suresam.evaluation.calibration.files import write_files
from suresam.evaluation.calibration.judging import (
    judge_calibrated,
    judge_difference,
    judge_uncalibrated,
)
from suresam.evaluation.calibration.masks import ScoredMasks, masks_of_members
from suresam.evaluation.calibration.run import fit_calibration, require_pictures
from suresam.evaluation.calibration.shared_pictures import refuse_shared_pictures
from suresam.evaluation.calibration.table import ALL_PROMPTS, DIFFERENCE
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.observations.collecting import collect
from suresam.evaluation.observations.plan import PROMPTS, ObservationPlan
from suresam.evaluation.progress import tell_counts
from suresam.evaluation.rows import estimate_row
from suresam.evaluation.targets import TargetChoice
from suresam.machine import describe_machine
from suresam.outputs import prepare_folder
from suresam.uncertainty.calibration import Calibration, MemberCalibration
from suresam.uncertainty.member_heads import HeadFile

OBSERVATIONS, REFIT_OBSERVATIONS = "observations", "refit-observations"


@dataclass(frozen=True, slots=True)
class Refit:
    """Pictures that another calibration is fitted on, to be judged beside the served one."""

    dataset: Dataset
    choice: TargetChoice


def evaluate_calibration(
    members: Sequence[Contestant],
    heads: HeadFile,
    calibration: Calibration,
    dataset: Dataset,
    choice: TargetChoice,
    out: Path,
    stream: TextIO,
    *,
    threads: int = 1,
    refit: Refit | None = None,
    circumstances: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Observe, judge, and write the report, its tables and its plot.

    All kinds of prompts are asked, and every mask is judged that a service would answer them
    with. Observations stay in the folder, so that an interrupted run goes on.

    Args:
        members: of a family, cheapest first.
        heads: of that family.
        calibration: of those heads and members.
        dataset: annotated pictures that neither members, heads nor calibration learned from.
        choice: which targets.
        out: folder for everything; files of `files.NAMES` in it are replaced.
        stream: where progress is told.
        threads: processes that observe.
        refit: other pictures, which tell what a calibration of one's own would change.
        circumstances: command and the like, for the report.

    Returns:
        What `calibration.json` holds: `figures`, a row for each member, kind of prompt,
        calibration and measure of `judging.WORDS`; `reliability` and `risk_coverage`, the curves
        of the plot; and what they rest on.

    Raises:
        ConfigurationError: the calibration belongs to other heads or weights, both data sets
            share pictures, there are too few of them, or the folder is of another run.
        NonFiniteOutput: a member answered with NaN or infinity.
    """
    _require_own(calibration, heads, members)
    prepare_folder(out)
    if refit is not None:
        with tell_counts("pictures compared", stream) as tell:
            refuse_shared_pictures(refit.dataset, refit.choice, dataset, choice, tell)
        require_pictures(refit.dataset, refit.choice)
    warnings = _warnings(calibration, dataset)
    for warning in warnings:
        print(f"warning: {warning}", file=stream)
    names = [member.manifest.name for member in members]
    calibrations = {SERVED: calibration}
    if refit is not None:
        folder = out / REFIT_OBSERVATIONS
        print(f"asking about {refit.dataset.name}, to fit on it", file=stream, flush=True)
        fitted_on = _observe(folder, members, heads, refit.dataset, refit.choice, stream, threads)
        calibrations[REFITTED] = fit_calibration(
            REFITTED, members, heads, refit.dataset.name, fitted_on, refit.choice.seed
        )
    print(f"asking about {dataset.name}", file=stream, flush=True)
    masks = _observe(out / OBSERVATIONS, members, heads, dataset, choice, stream, threads)
    print("judging: resampling pictures for the intervals", file=stream, flush=True)
    by_member = {
        name: {which: one.members[name] for which, one in calibrations.items()} for name in names
    }
    curves = {name: curves_of(by_member[name], masks[name], choice.seed) for name in names}
    report = {
        **(circumstances or {}),
        "machine": describe_machine(),
        "members": {
            m.manifest.name: {"sha256": m.sha256, "device": m.predictor.backbone.device}
            for m in members
        },
        "heads": {"name": heads.name, "sha256": heads.sha256},
        "calibration": {"name": calibration.name, "dataset": calibration.dataset,
                        "level": calibration.level},
        "dataset": dataset.name,
        "targets": asdict(choice) | _counts(masks),
        "refit": None if refit is None else
        {"dataset": refit.dataset.name, "targets": asdict(refit.choice)
         | _counts(fitted_on)},
        "intervals": {"level": LEVEL, "resamples": NUM_RESAMPLES, "resampled": "images"},
        "warnings": warnings,
        "figures": [
            row
            for name in names
            for row in _figures(name, by_member[name], masks[name], choice.seed)
        ],
    }  # fmt: skip
    return write_files(report, curves, out)


def _require_own(calibration: Calibration, heads: HeadFile, members: Sequence[Contestant]) -> None:
    if calibration.heads_sha256 != heads.sha256:
        raise ConfigurationError(
            f"calibration {calibration.name} was made with other heads than {heads.name}: SHA-256 "
            f"{calibration.heads_sha256}, here {heads.sha256}"
        )
    for member in members:
        name = member.manifest.name
        if name not in calibration.members:
            raise ConfigurationError(
                f"calibration {calibration.name} is not for {name}: it knows "
                f"{', '.join(calibration.members)}"
            )
        if calibration.trained_on.get(name, member.sha256) != member.sha256:
            raise ConfigurationError(
                f"calibration {calibration.name} was made with other weights of {name}: SHA-256 "
                f"{calibration.trained_on[name]}, here {member.sha256}"
            )


def _warnings(calibration: Calibration, dataset: Dataset) -> list[str]:
    # A calibration knows its pictures by the name of their data set alone; scenes for it and
    # scenes for figures are called alike, and never the same.
    if calibration.dataset != dataset.name or isinstance(dataset, Scenes):
        return []
    return [
        f"calibration {calibration.name} was fitted on a data set that is called {dataset.name}, "
        f"too: figures on the pictures that it was fitted on would be too good"
    ]


def _observe(
    folder: Path,
    members: Sequence[Contestant],
    heads: HeadFile,
    dataset: Dataset,
    choice: TargetChoice,
    stream: TextIO,
    threads: int,
) -> dict[str, ScoredMasks]:
    with tell_counts("pictures", stream) as tell:
        store = collect(
            folder, dataset, members, choice, ObservationPlan(), workers=threads, progress=tell
        )
    return masks_of_members(store.read(), heads.heads, [m.manifest.name for m in members])


def _counts(masks: Mapping[str, ScoredMasks]) -> dict[str, Any]:
    """Masks are told by member: one may answer with three where another answers with one."""
    first = next(iter(masks.values()))
    return {
        "pictures": len(np.unique(first.picture)),
        "masks": {member: len(mine.iou) for member, mine in masks.items()},
    }


def _figures(
    member: str, calibrations: Mapping[str, MemberCalibration], masks: ScoredMasks, seed: int
) -> Iterable[dict[str, Any]]:
    kinds = {ALL_PROMPTS: masks} | {
        PROMPTS[place]: masks.of_prompt(place) for place in np.unique(masks.prompt).tolist()
    }
    for kind, mine in kinds.items():
        even = judge_uncalibrated(mine, seed)
        judged = {
            which: judge_calibrated(one, mine, seed) | even for which, one in calibrations.items()
        }
        if REFITTED in calibrations:
            judged[DIFFERENCE] = judge_difference(
                calibrations[SERVED], calibrations[REFITTED], mine, seed
            )
        for which, figures in judged.items():
            for measure, estimate in figures.items():
                where = {"member": member, "prompt": kind, "calibration": which}
                yield where | {"measure": measure, **estimate_row(estimate, "masks")}
