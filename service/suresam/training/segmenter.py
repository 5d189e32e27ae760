"""Training a segmenter from a recipe to a weight file with a report."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TextIO

from suresam.errors import ConfigurationError
from suresam.evaluation.held_out import (
    NUM_SCENES,
)
from suresam.segmentation.sam2 import choose_device
from suresam.training.loop import STATE_FILE, Run, Trainer, run_replica
from suresam.training.pool import draw_pool, training_seed
from suresam.training.progress import ProgressReporter
from suresam.training.recipe import Recipe, load_recipe
from suresam.training.replicas import StartedReplicas
from suresam.training.report import export_weights, write_report

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
    export_weights(trainer.averaged_weights(), options.out)
    report = write_report(options, trainer, device)
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
