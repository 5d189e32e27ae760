"""Training a segmenter from a recipe to a weight file with a report."""

import json
import platform
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from shutil import which
from types import FrameType
from typing import Any, TextIO

import cv2
import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from suresam.errors import ConfigurationError
from suresam.segmentation.sam2 import choose_device
from suresam.training.held_out import (
    NUM_SCENES,
    SCENE_SIZE,
    TARGETS_PER_SCENE,
    held_out_examples,
    measure,
)
from suresam.training.loop import STATE_FILE, Run, Trainer, load_weights, run_replica
from suresam.training.pictures import contact_sheet
from suresam.training.pool import draw_pool, training_seed
from suresam.training.predictor import ModelPredictor
from suresam.training.progress import ProgressReporter
from suresam.training.recipe import Recipe, load_recipe
from suresam.training.replicas import StartedReplicas
from suresam.training.scenes import TEST_SEEDS

_PICTURED = 24
"""Held-out scenes on the contact sheet."""


@dataclass(frozen=True, slots=True)
class SegmenterOptions:
    """What the command line asks for.

    Attributes:
        config: shipped recipe's name or a JSON file.
        out: weight file to write, `.safetensors`.
        init_from: weights to begin with, or None.
        seed: 0 to 999; other seeds draw other scenes and other weights.
        max_minutes: training time over all sittings, drawing scenes not included; or None.
        state: folder for state, log, scenes and report.
        resume: go on from the state there.
        scenes: number of training scenes instead of the recipe's, or None.
        device: "auto", "cpu" or "cuda".
        threads: on the CPU, processes of one thread each; more change the result slightly.
        held_out_scenes: test scenes for the report.
    """

    config: str
    out: Path
    init_from: Path | None = None
    seed: int = 0
    max_minutes: float | None = None
    state: Path = Path("runs/segmenter")
    resume: bool = False
    scenes: int | None = None
    device: str = "auto"
    threads: int = 1
    held_out_scenes: int = NUM_SCENES


def train_segmenter(options: SegmenterOptions, stream: TextIO) -> bool:
    """Draw scenes, train, export and measure; SIGTERM and Ctrl-C save and return.

    The state folder gets `report.json`, `held_out.npz` (every target's figures) and
    `contact.png` beside the state itself.

    Args:
        stream: where progress is told; a bar if it is a terminal, lines otherwise.

    Returns:
        Whether the training is finished and the weights are written; False if it was stopped
        and can be resumed.

    Raises:
        ConfigurationError: for options or a recipe that cannot be followed.
        CheckpointError: for weights or a state that do not fit.
    """
    recipe, device = _checked(options)
    options.state.mkdir(parents=True, exist_ok=True)
    reporter = ProgressReporter(stream, options.state / "log.jsonl")
    with _stop_requests() as requests:
        pool = _pool(options, recipe, requests, reporter)
        if pool is None:
            reporter.note("stopped while drawing scenes; nothing to resume yet")
            return False
        run = Run(recipe, pool, options.state, options.seed, device, options.max_minutes,
                  options.init_from, options.resume)  # fmt: skip
        count = min(options.threads, recipe.joint.images) if device == "cpu" else 1
        with StartedReplicas(count, run_replica, (run,)) as replicas:
            trainer = Trainer(run, replicas)
            is_finished = trainer.train(lambda: bool(requests), reporter)
    reporter.close()
    if not is_finished:
        reporter.note(f"stopped and saved in {options.state}; go on with --resume")
        return False
    _export(trainer.averaged_weights(), options.out)
    report = _report(options, trainer, device)
    (options.state / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    reporter.note(f"wrote {options.out} ({report['weights']['size_bytes']} bytes)")
    reporter.note(json.dumps(report["figures"]))
    return True


def _checked(options: SegmenterOptions) -> tuple[Recipe, str]:
    recipe = load_recipe(options.config)
    if options.scenes is not None:
        recipe = replace(recipe, scenes=options.scenes)
    training_seed(options.seed)
    if options.out.suffix != ".safetensors":
        raise ConfigurationError(f"--out must end with .safetensors, got {options.out}")
    if options.max_minutes is not None and not options.max_minutes > 0:
        raise ConfigurationError(f"--max-minutes must be positive, got {options.max_minutes}")
    if options.threads < 1:
        raise ConfigurationError(f"--threads must be at least 1, got {options.threads}")
    if options.init_from is not None and not options.init_from.is_file():
        raise ConfigurationError(f"no weights to start from at {options.init_from}")
    has_state = (options.state / STATE_FILE).exists()
    if has_state and not options.resume:
        raise ConfigurationError(
            f"{options.state} holds a training already: add --resume, or choose another --state"
        )
    if options.resume and not has_state:
        raise ConfigurationError(f"no training state to resume in {options.state}")
    return recipe, choose_device(options.device)


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """A list that is empty until SIGTERM or SIGINT arrives."""
    requests: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        requests.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stopped(Exception):
    """Raised through `draw_pool` when somebody asked to stop."""


def _pool(
    options: SegmenterOptions, recipe: Recipe, requests: list[int], reporter: ProgressReporter
) -> Path | None:
    folder = options.state / f"scenes-{recipe.scene_size}px-{recipe.scenes}"
    told = time.monotonic()

    def progress(done: int) -> None:
        nonlocal told
        if requests:
            raise _Stopped
        if time.monotonic() - told > 20:
            told = time.monotonic()
            reporter.note(f"drew {done} of {recipe.scenes} scenes")

    first = training_seed(options.seed)
    try:
        draw_pool(folder, first, recipe.scenes, recipe.scene_size, options.threads, progress)
    except _Stopped:
        return None
    return folder


def _export(weights: dict[str, Tensor], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in weights.items()}
    partial = path.with_suffix(".partial")
    save_file(half, partial)
    partial.chmod(0o644)  # safetensors writes for the owner alone
    partial.replace(path)


def _report(options: SegmenterOptions, trainer: Trainer, device: str) -> dict[str, Any]:
    recipe = trainer.run.recipe
    model = recipe.architecture.build()
    load_weights(model, options.out)
    predictor = ModelPredictor(model.to(device))
    measured = measure(predictor, held_out_examples(options.held_out_scenes))
    shown = held_out_examples(min(options.held_out_scenes, _PICTURED), per_scene=1)
    sheet = contact_sheet(predictor, list(shown))
    cv2.imwrite(str(options.state / "contact.png"), sheet[..., ::-1])
    np.savez(
        options.state / "held_out.npz", allow_pickle=False, discs=measured.discs, **measured.columns
    )
    content = options.out.read_bytes()
    first = training_seed(options.seed)
    return {
        "config": options.config,
        "recipe": recipe.to_dict(),
        "seed": options.seed,
        "commit": _commit(),
        "data": {
            "kind": "procedural scenes, drawn by this package",
            "training_scene_seeds": [first, first + recipe.scenes],
            "scene_size": recipe.scene_size,
            "views_seen": trainer.num_scenes_seen,
            "held_out_scene_seeds": [TEST_SEEDS.start, TEST_SEEDS.start + options.held_out_scenes],
            "held_out_scene_size": SCENE_SIZE,
            "targets_per_scene": TARGETS_PER_SCENE,
        },
        "init_from": None if options.init_from is None else {
            "file": str(options.init_from),
            "sha256": sha256(options.init_from.read_bytes()).hexdigest(),
        },
        "training_hours": round(trainer.seconds / 3600, 3),
        "max_minutes": options.max_minutes,
        "joint_steps": trainer.step,
        "device": device,
        "processes": trainer.replicas.count,
        "machine": platform.platform(),
        "num_parameters": sum(p.numel() for p in model.parameters()),
        "weights": {
            "file": str(options.out),
            "size_bytes": len(content),
            "sha256": sha256(content).hexdigest(),
            "dtype": "float16",
        },
        "figures": measured.figures(),
        "versions": {
            name: version(name) for name in ("torch", "sam2", "numpy", "opencv-python-headless")
        } | {"python": platform.python_version()},
    }  # fmt: skip


def _commit() -> str:
    """The commit that this package is run from, "unknown" outside a repository."""
    git = which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "--verify", "HEAD"]
    # S603: nothing in the command comes from outside.
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() if found.returncode == 0 else "unknown"
