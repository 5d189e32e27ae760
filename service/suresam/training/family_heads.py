"""Uncertainty heads of a family: taught and calibrated once its members are trained."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from suresam.datasets import Dataset, open_dataset
from suresam.evaluation.calibration.judging import Figures
from suresam.evaluation.calibration.run import calibrate
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.targets import usual_choice
from suresam.scenes.scene import CALIBRATION_SEEDS, HEAD_SEEDS
from suresam.segmentation.weights import file_sha256
from suresam.training.family_plan import HeadsPlan
from suresam.training.usam.fitting import FitOptions
from suresam.training.usam.run import REPORT_FILE, UsamOptions, train_usam
from suresam.uncertainty.calibration import Calibration
from suresam.uncertainty.heads import load_heads
from suresam.uncertainty.member_heads import head_file, read_head_file

FOLDER = "uncertainty"
"""In a family's state folder: observations, logs and reports of its heads."""


def teach_heads(
    plan: HeadsPlan,
    members: Sequence[Contestant],
    state: Path,
    seed: int,
    threads: int,
    stream: TextIO,
) -> Path | None:
    """Train the heads on scenes that no member has seen, unless that is done.

    Args:
        plan: their name and their scenes.
        members: of the family, cheapest first.
        state: of the family.
        seed: of prompts and first weights.
        threads: processes that observe.
        stream: where progress is told.

    Returns:
        The head file in the state folder, or None if somebody stopped it.
    """
    path = state / head_file(plan.name)
    options = UsamOptions(
        out=path,
        state=state / FOLDER / "training",
        prompts=plan.prompts,
        threads=threads,
        fit=FitOptions(seed=seed),
    )
    scenes = open_dataset(f"scenes:{plan.scenes}", seeds=HEAD_SEEDS)
    if _is_taught(options, scenes, members):
        return path
    print(f"training {plan.name}", file=stream)
    return path if train_usam(members, [scenes], options, stream) is not None else None


def _is_taught(options: UsamOptions, scenes: Dataset, members: Sequence[Contestant]) -> bool:
    """Whether the heads are there, of these weights, scenes and choices."""
    path, report = options.out, options.state / REPORT_FILE
    if not path.exists() or not report.exists():
        return False
    found = json.loads(report.read_text())
    weights = {member.manifest.name: member.sha256 for member in members}
    return bool(
        found["out"]["sha256"] == file_sha256(path)
        and found["datasets"] == [scenes.name]
        and found["fit"] == asdict(options.fit)
        and load_heads(path).info.trained_on == weights
    )


def calibrate_heads(
    plan: HeadsPlan,
    path: Path,
    members: Sequence[Contestant],
    state: Path,
    seed: int,
    threads: int,
    stream: TextIO,
) -> tuple[Calibration, Figures]:
    """Fit a calibration on scenes that neither members nor heads have seen.

    Args:
        plan: its name and its scenes.
        path: of the head file.
        members: of the family, cheapest first.
        state: of the family.
        seed: of targets, prompts and halves.
        threads: processes that observe.
        stream: where progress is told.

    Returns:
        The calibration, and its figures on the half of the scenes that was not fitted.
    """
    scenes = open_dataset(f"scenes:{plan.calibration_scenes}", seeds=CALIBRATION_SEEDS)
    choice = usual_choice(scenes, num_targets=None, seed=seed)
    print(f"calibrating {path.stem}", file=stream)
    folder = state / FOLDER / "calibration"
    return calibrate(
        plan.calibration, members, read_head_file(path), scenes, choice, folder, stream, threads
    )
