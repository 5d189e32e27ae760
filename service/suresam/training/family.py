"""Rebuilding a whole family: weights, figures, manifests and model card, all together or not.

Members are trained one after the other in a state folder, then measured side by side; only when
all of that is there do weights, manifests and card take their places. So new weights never
stand beside old figures.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from suresam.datasets import open_dataset
from suresam.errors import ConfigurationError
from suresam.evaluation.contestants import Contestant, weights_contestant
from suresam.evaluation.files import write_files
from suresam.evaluation.run import Evaluation, describe, evaluate, flat_figures
from suresam.evaluation.targets import usual_choice
from suresam.machine import describe_machine
from suresam.segmentation.manifests import ModelManifest, load_family, write_manifest
from suresam.segmentation.sam2 import choose_device
from suresam.training.family_plan import FamilyPlan, MemberPlan, load_family_plan
from suresam.training.model_card import write_card
from suresam.training.recipe import load_recipe
from suresam.training.segmenter import SegmenterOptions, train_segmenter
from suresam.training.state import has_state

SCENES = "scenes"
"""Held-out scenes, which every family is measured on."""

_GRABCUTS = 100


@dataclass(frozen=True, slots=True)
class FamilyOptions:
    """What the command line asks for.

    Attributes:
        plan: shipped family's name or a JSON file.
        hours: training time of all members together; drawing scenes and measuring come on top.
        out: folder for manifests, weights and the family's file.
        card: Markdown file; its text outside the marked part is kept.
        state: folder of everything that is not finished.
        datasets: annotated photographs to measure on besides scenes.
        seed: 0 to 999; member number i uses `seed + i`.
        device: "auto", "cpu" or "cuda".
        threads: as for one segmenter.
        scenes: training scenes of every member instead of its recipe's, or None.
        targets: most targets of each data set that are measured.
    """

    plan: str
    hours: float
    out: Path
    card: Path
    state: Path
    datasets: tuple[str, ...] = ()
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    scenes: int | None = None
    targets: int = 500


def train_family(options: FamilyOptions, stream: TextIO) -> bool:
    """Train, measure and install every member; what a stopped run has done is not done again.

    Args:
        stream: where progress is told.

    Returns:
        Whether the family is installed; False if it was stopped, and the same command goes on.

    Raises:
        ConfigurationError: for a plan, a recipe, a data set or options that cannot be followed.
        CheckpointError: the state belongs to another run.
    """
    plan = load_family_plan(options.plan)
    if not options.hours > 0:
        raise ConfigurationError(f"--hours must be positive, got {options.hours:g}")
    for name in options.datasets:
        open_dataset(name)  # a mistake in its name is told now, not after hours
    for number, member in enumerate(plan.members):
        if not _train_member(options, member, options.seed + number, stream):
            return False
    evaluations = [_measure(options, plan, name, stream) for name in (SCENES, *options.datasets)]
    install_family(options, plan, evaluations)
    print(f"installed {plan.name} in {options.out}, its card is {options.card}", file=stream)
    return True


def install_family(
    options: FamilyOptions, plan: FamilyPlan, evaluations: Sequence[Evaluation]
) -> None:
    """Put weights, manifests, the family's file and the card in their places.

    Args:
        evaluations: of all members, the one on scenes first.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    manifests = [_manifest(options, plan, member, evaluations) for member in plan.members]
    for manifest in manifests:
        shutil.copyfile(_weights(options, manifest.name), options.out / manifest.weights)
        write_manifest(manifest, options.out)
    families = options.out / "families"
    families.mkdir(exist_ok=True)
    members = [member.name for member in plan.members]
    file = {"name": plan.name, "description": plan.description, "members": members}
    path = families / f"{plan.name}.json"
    path.write_text(json.dumps(file, indent=2) + "\n")
    load_family(str(path), options.out)  # what was written is what serving will read
    write_card(
        options.card, plan, manifests, [describe(e) for e in evaluations], describe_machine()
    )


def _weights(options: FamilyOptions, member: str) -> Path:
    return options.state / f"{member}.safetensors"


def _train_member(options: FamilyOptions, member: MemberPlan, seed: int, stream: TextIO) -> bool:
    folder = options.state / member.name
    weights = _weights(options, member.name)
    if weights.exists() and (folder / "report.json").exists():
        return True
    print(f"training {member.name}", file=stream)
    segmenter = SegmenterOptions(
        config=member.recipe,
        out=weights,
        init_from=None if member.init_from is None else _weights(options, member.init_from),
        seed=seed,
        max_minutes=60 * options.hours * member.share,
        state=folder,
        resume=has_state(folder),
        scenes=options.scenes,
        device=options.device,
        threads=options.threads,
        plot=True,
        held_out_scenes=0,  # all members are measured together
    )
    if not train_segmenter(segmenter, stream):
        return False
    shutil.rmtree(segmenter.pool)  # gigabytes that a seed draws again
    return True


def _contestants(options: FamilyOptions, plan: FamilyPlan) -> list[Contestant]:
    device = choose_device(options.device)
    return [
        weights_contestant(
            _weights(options, member.name),
            load_recipe(member.recipe).architecture,
            member.name,
            device,
        )
        for member in plan.members
    ]


def _measure(options: FamilyOptions, plan: FamilyPlan, name: str, stream: TextIO) -> Evaluation:
    dataset = open_dataset(name)
    print(f"measuring on {dataset.name}", file=stream)
    contestants = _contestants(options, plan)
    evaluation = evaluate(
        dataset,
        [contestant.predictor for contestant in contestants],
        usual_choice(dataset, num_targets=options.targets),
        stream=stream,
        num_grabcuts=_GRABCUTS,
    )
    circumstances: dict[str, Any] = {
        "machine": describe_machine(),
        "weights": {c.manifest.name: {"sha256": c.sha256} for c in contestants},
    }
    write_files(evaluation, circumstances, options.state / "evaluations" / dataset.name)
    return evaluation


def _manifest(
    options: FamilyOptions, plan: FamilyPlan, member: MemberPlan, evaluations: Sequence[Evaluation]
) -> ModelManifest:
    weights = _weights(options, member.name)
    [contestant] = (c for c in _contestants(options, plan) if c.manifest.name == member.name)
    report = json.loads((options.state / member.name / "report.json").read_text())
    report["figures"] = {e.dataset.name: flat_figures(e, member.name) for e in evaluations}
    return ModelManifest(
        name=member.name,
        source="trained by this repository with `suresam train family`",
        licence=plan.licence,
        architecture=load_recipe(member.recipe).architecture,
        weights=weights.name,
        box_as_mask_input=plan.box_as_mask_input,
        sha256=contestant.sha256,
        size_bytes=weights.stat().st_size,
        provenance=report,
    )
