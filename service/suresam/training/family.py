"""Rebuilding a whole family: weights, figures, manifests and model card, all together or not.

Members are trained one after the other in a state folder, then their uncertainty heads, then all is
measured; only when all of that is there do weights, heads, manifests and card take their places.
So new weights never stand beside old figures.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from suresam.datasets import open_dataset
from suresam.errors import CheckpointError, ConfigurationError
from suresam.evaluation.calibration.run import require_pictures
from suresam.evaluation.contestants import Contestant, weights_contestant
from suresam.evaluation.files import write_files
from suresam.evaluation.run import Evaluation, describe, evaluate, flat_figures
from suresam.evaluation.targets import TargetChoice, usual_choice
from suresam.machine import describe_machine
from suresam.segmentation.manifests import ModelManifest, load_family, write_manifest
from suresam.segmentation.sam2 import choose_device
from suresam.segmentation.weights import file_sha256
from suresam.training.family_heads import FOLDER, calibrate_heads, teach_heads
from suresam.training.family_judging import HeadResults, Judged, judge_uncertainty, refit_on
from suresam.training.family_plan import FamilyPlan, MemberPlan, load_family_plan
from suresam.training.family_weights import keep_member, member_weights
from suresam.training.model_card import card_text
from suresam.training.pool import training_seed
from suresam.training.recipe import load_recipe
from suresam.training.segmenter import REPORT_FILE, SegmenterOptions, train_segmenter
from suresam.training.state import has_state
from suresam.training.stopping import Stopped, StopRequests
from suresam.uncertainty.calibration import calibration_file, write_calibration
from suresam.uncertainty.member_heads import head_file, load_member_heads, read_head_file

SCENES = "scenes"
"""Held-out scenes, which every family is measured on."""

_GRABCUTS = 100


@dataclass(frozen=True, slots=True)
class FamilyOptions:
    """What the command line asks for.

    Attributes:
        plan: shipped family's name or a JSON file.
        hours: training time of all members together; drawing scenes and measuring come on top.
            None where weights are kept.
        out: folder for manifests, weights and the family's file.
        card: Markdown file; its text outside the marked part is kept.
        state: folder of everything that is not finished.
        datasets: annotated photographs to measure on besides scenes.
        refit: photographs like those, from which another calibration is made for comparison.
        seed: 0 to 999; member number i uses `seed + i`.
        device: "auto", "cpu" or "cuda".
        threads: as for one segmenter.
        scenes: training scenes of every member instead of its recipe's, or None.
        targets: most targets of each data set that are measured.
        keep_weights: train no member: take the weights in the state folder, or else those that are
            installed, and do all the rest.
    """

    plan: str
    hours: float | None
    out: Path
    card: Path
    state: Path
    datasets: tuple[str, ...] = ()
    refit: str | None = None
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    scenes: int | None = None
    targets: int = 500
    keep_weights: bool = False


def train_family(options: FamilyOptions, stream: TextIO) -> bool:
    """Train, measure and install every member; what a stopped run has trained is kept.

    Args:
        stream: where progress is told.

    Returns:
        Whether the family is installed; False if it was stopped, and the same command goes on.

    Raises:
        ConfigurationError: for a plan, a recipe, a data set or options that cannot be followed.
        CheckpointError: the state belongs to another run.
    """
    plan = load_family_plan(options.plan)
    _check(options, plan)
    for number, member in enumerate(plan.members):
        if options.keep_weights:
            source = keep_member(member, options.out, options.state)
            print(f"keeping {member.name} of {source}", file=stream)
        elif not _train_member(options, member, options.seed + number, stream):
            return False
    contestants = _contestants(options, plan)
    heads = None
    if plan.heads is not None:
        seed, threads = options.seed, options.threads
        heads = teach_heads(plan.heads, contestants, options.state, seed, threads, stream)
        if heads is None:
            return False
    try:
        with StopRequests():
            names = (SCENES, *options.datasets)
            evaluations = [_measure(options, contestants, name, stream) for name in names]
            results = _judge(options, plan, contestants, heads, stream)
    except Stopped:
        print("stopped while measuring; the same command measures again", file=stream)
        return False
    install_family(options, plan, evaluations, results)
    print(f"installed {plan.name} in {options.out}, its card is {options.card}", file=stream)
    return True


def install_family(
    options: FamilyOptions,
    plan: FamilyPlan,
    evaluations: Sequence[Evaluation],
    results: HeadResults | None = None,
) -> None:
    """Put weights, manifests, the family's file and the card in their places.

    All files are made and read back beside their places first.

    Args:
        evaluations: of all members, the one on scenes first.
        results: of calibrating and judging the plan's heads; None without heads.
    """
    prepared = options.state / "prepared"
    (prepared / "families").mkdir(parents=True, exist_ok=True)
    manifests = [_manifest(options, plan, member, evaluations) for member in plan.members]
    for manifest in manifests:
        shutil.copyfile(_weights(options, manifest.name), prepared / manifest.weights)
        write_manifest(manifest, prepared)
    names = [Path(name) for m in manifests for name in (m.weights, f"{m.name}.json")]
    if plan.heads is not None and results is not None:
        names.append(Path(head_file(plan.heads.name)))
        shutil.copyfile(options.state / names[-1], prepared / names[-1])
        names.append(Path(calibration_file(plan.heads.calibration)))
        write_calibration(results.calibration, prepared / names[-1])
    members = [member.name for member in plan.members]
    file = {"name": plan.name, "description": plan.description, "members": members}
    family = Path("families") / f"{plan.name}.json"
    (prepared / family).write_text(json.dumps(file, indent=2) + "\n")
    read = load_family(str(prepared / family), prepared)  # what serving will read
    for member in read.members:
        load_member_heads(member, read, "cpu", prepared)
    reports = [describe(evaluation) for evaluation in evaluations]
    card = options.card.read_text() if options.card.exists() else None
    text = card_text(card, plan, manifests, reports, describe_machine(), results)
    for name in (*names, family):
        (options.out / name).parent.mkdir(exist_ok=True)
        (prepared / name).replace(_beside(options.out / name))
    for name in (*names, family):
        _beside(options.out / name).replace(options.out / name)
    options.card.write_text(text)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _check(options: FamilyOptions, plan: FamilyPlan) -> None:
    """Tell mistakes before the hours of training, not after them."""
    if (options.hours is None) != options.keep_weights:
        raise ConfigurationError("give either --hours of training or --keep-weights, not both")
    if options.keep_weights and options.scenes is not None:
        raise ConfigurationError("--scenes are trained on, and --keep-weights trains no member")
    if options.hours is not None and not options.hours > 0:
        raise ConfigurationError(f"--hours must be positive, got {options.hours:g}")
    recipes = [load_recipe(member.recipe) for member in plan.members]
    widths = {recipe.architecture.d_model for recipe in recipes}
    if len(widths) > 1:
        raise ConfigurationError(f"members of {plan.name} differ in d_model: {sorted(widths)}")
    for number in range(len(recipes)):
        training_seed(options.seed + number)
    if options.refit is not None:
        refit = refit_on(options.refit, options.targets)
        require_pictures(refit.dataset, refit.choice)
    names = [dataset.name for dataset in map(open_dataset, (SCENES, *options.datasets))]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"two data sets have one name: {', '.join(names)}")
    TargetChoice(num_targets=options.targets)
    try:
        for folder in (options.state, options.out / "families", options.card.parent):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write into {folder}: {error.strerror}") from error


def _weights(options: FamilyOptions, member: str) -> Path:
    return member_weights(options.state, member)


def _train_member(options: FamilyOptions, member: MemberPlan, seed: int, stream: TextIO) -> bool:
    assert options.hours is not None
    folder = options.state / member.name
    weights = _weights(options, member.name)
    minutes = 60 * options.hours * member.share
    before = None if member.init_from is None else _weights(options, member.init_from)
    if weights.exists() and (folder / REPORT_FILE).exists():
        _check_report(options, member, seed, minutes, before)
        return True
    print(f"training {member.name}", file=stream)
    segmenter = SegmenterOptions(
        config=member.recipe,
        out=weights,
        init_from=before,
        seed=seed,
        max_minutes=minutes,
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


def _check_report(
    options: FamilyOptions, member: MemberPlan, seed: int, minutes: float, before: Path | None
) -> None:
    """Refuse to take a finished member of another run for this one's."""
    folder = options.state / member.name
    report = json.loads((folder / REPORT_FILE).read_text())
    recipe = load_recipe(member.recipe).to_dict()
    if options.scenes is not None:
        recipe["scenes"] = options.scenes
    started = None if report["init_from"] is None else report["init_from"]["sha256"]
    found = {
        "recipe": report["recipe"] == recipe,
        "seed": report["seed"] == seed,
        "hours": report["max_minutes"] == minutes,
        "starting weights": started == (None if before is None else file_sha256(before)),
    }
    for name, is_same in found.items():
        if not is_same:
            raise CheckpointError(
                f"{folder} holds a training with another {name}: choose another --state"
            )


def _contestants(options: FamilyOptions, plan: FamilyPlan) -> list[Contestant]:
    device = choose_device(options.device)
    return [
        weights_contestant(
            _weights(options, member.name),
            load_recipe(member.recipe).architecture,
            member.name,
            device,
            box=plan.box,
        )
        for member in plan.members
    ]


def _measure(
    options: FamilyOptions, contestants: Sequence[Contestant], name: str, stream: TextIO
) -> Evaluation:
    dataset = open_dataset(name)
    print(f"measuring on {dataset.name}", file=stream)
    evaluation = evaluate(
        dataset,
        contestants,
        usual_choice(dataset, num_targets=options.targets),
        stream=stream,
        threads=options.threads,
        num_grabcuts=_GRABCUTS,
    )
    circumstances: dict[str, Any] = {
        "machine": describe_machine(),
        "weights": {c.manifest.name: {"sha256": c.sha256} for c in contestants},
    }
    write_files(evaluation, circumstances, options.state / "evaluations" / dataset.name)
    return evaluation


def _judge(
    options: FamilyOptions,
    plan: FamilyPlan,
    contestants: Sequence[Contestant],
    heads: Path | None,
    stream: TextIO,
) -> HeadResults | None:
    """Calibrate and judge the heads that were taught."""
    if plan.heads is None or heads is None:
        return None
    state, seed, threads = options.state, options.seed, options.threads
    calibration, figures = calibrate_heads(
        plan.heads, heads, contestants, state, seed, threads, stream
    )
    judged = Judged(
        contestants, read_head_file(heads), calibration, state / FOLDER, threads, stream
    )
    scenes, targets = plan.heads.judged_scenes, options.targets
    reports = judge_uncertainty(judged, scenes, options.datasets, targets, options.refit)
    return HeadResults(calibration, figures, reports)


def _manifest(
    options: FamilyOptions, plan: FamilyPlan, member: MemberPlan, evaluations: Sequence[Evaluation]
) -> ModelManifest:
    weights = _weights(options, member.name)
    report = json.loads((options.state / member.name / REPORT_FILE).read_text())
    report["figures"] = {e.dataset.name: flat_figures(e, member.name) for e in evaluations}
    return ModelManifest(
        name=member.name,
        source="trained by this repository, `suresam train`",
        licence=plan.licence,
        architecture=load_recipe(member.recipe).architecture,
        weights=weights.name,
        box=plan.box,
        heads=None if plan.heads is None else plan.heads.name,
        calibration=None if plan.heads is None else plan.heads.calibration,
        sha256=file_sha256(weights),
        size_bytes=weights.stat().st_size,
        provenance=report,
    )
