"""Training a segmenter from a recipe to a weight file with a report."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from suresam.datasets import Dataset
from suresam.datasets.procedural import NUM_SCENES, Scenes
from suresam.errors import ConfigurationError
from suresam.evaluation.questions import QUESTIONS
from suresam.scenes.scene import CALIBRATION_SEEDS
from suresam.segmentation.sam2 import choose_device
from suresam.segmentation.tensor_files import read_safetensors
from suresam.training.curves import CURVES_FILE, check_matplotlib, draw_curves, read_log
from suresam.training.filling import Source, fill_pool, num_empty
from suresam.training.judge import Judge, held_out_pictures
from suresam.training.loop import Run, Trainer, load_weights, run_replica
from suresam.training.pool import POOL_FILE, training_seed
from suresam.training.progress import LOG_FILE, ProgressReporter
from suresam.training.recipe import Recipe, load_recipe
from suresam.training.replicas import StartedReplicas
from suresam.training.report import export_weights, write_report
from suresam.training.scene_source import SceneSource
from suresam.training.state import has_state
from suresam.training.stopping import Stopped, StopRequests
from suresam.training.user_data import UserData, open_user_data
from suresam.training.user_report import report_pictures
from suresam.training.watch import Watch

REPORT_FILE = "report.json"

_TOLD = ("click_top", "click_best_of_three", "three_clicks", "box")
"""Figures that are printed at the end; the report has them all."""

_WATCHED = 20
"""Held-out pictures on every contact sheet, 2 targets each in the figures beside it."""

_WATCHED_SEEDS = CALIBRATION_SEEDS[-2 * _WATCHED :]
"""Not the test scenes: who looks at scenes while training, and mends what fails, fits to them."""

_WATCHED_SIDE = 512
"""Larger held-out pictures are reduced to this many pixels: a look takes seconds, not minutes."""


@dataclass(frozen=True, slots=True)
class SegmenterOptions:
    """What the command line asks for.

    Attributes:
        config: shipped recipe's name or a JSON file.
        out: weight file to write, `.safetensors`.
        init_from: weights to begin with, or None.
        average_start: export the mean of the weights at the beginning and at the end, which is
            often better than both (Wortsman et al. 2022, model soups).
        seed: 0 to 999; other seeds draw other scenes and other weights.
        max_minutes: training time over all sittings, preparing pictures not included; or None.
        state: folder for state, log, pool, pictures and report.
        resume: go on from what is there.
        scenes: number of training scenes instead of the recipe's; None with `data` means none.
        device: "auto", "cpu" or "cuda".
        threads: on the CPU, processes of one thread each; more change the result slightly.
        held_out_scenes: test scenes for the report.
        data: folders of label maps and COCO `.json` files to train on.
        images: folder of the pictures of the COCO file, or None.
        hold_out: share of the pictures in `data` that are not trained on, in [0, 1).
        picture_every: minutes of training between two looks at held-out pictures; 0 for none.
        plot: whether to draw `curves.png` with every look and at the end.
    """

    config: str
    out: Path
    init_from: Path | None = None
    average_start: bool = False
    seed: int = 0
    max_minutes: float | None = None
    state: Path = Path("runs/segmenter")
    resume: bool = False
    scenes: int | None = None
    device: str = "auto"
    threads: int = 1
    held_out_scenes: int = NUM_SCENES
    data: tuple[Path, ...] = ()
    images: Path | None = None
    hold_out: float = 0.1
    picture_every: float = 10.0
    plot: bool = False

    @property
    def pool(self) -> Path:
        """Folder of the pictures that are trained on, made ready."""
        return self.state / "pool"


def train_segmenter(options: SegmenterOptions, stream: TextIO) -> bool:
    """Prepare pictures, train, export and measure; SIGTERM and Ctrl-C save and return.

    The state folder gets `report.json`, the evaluation's files and `contact.png` beside the
    state itself, and while the training goes on `contact-*.png`.

    Args:
        stream: where progress is told; a bar if it is a terminal, lines otherwise.

    Returns:
        Whether the training is finished and the weights are written; False if it was stopped
        and can be resumed.

    Raises:
        ConfigurationError: for options, a recipe or data that cannot be followed.
        CheckpointError: for weights or a state that do not fit.
    """
    recipe, device = _checked(options)
    reporter = ProgressReporter(stream, options.state / LOG_FILE)
    told = "while preparing pictures; those that are done are kept"
    with StopRequests() as requests:
        try:
            data = _open_data(options, recipe)
            options.state.mkdir(parents=True, exist_ok=True)
            _prepare(options, recipe, data, reporter)
            judge = _judge(options, recipe, data, device, reporter)
            told = f"and saved in {options.state}"
            with requests.noted():
                trainer = _train(
                    options, recipe, device, judge, lambda: requests.is_wanted, reporter
                )
            if requests.is_wanted:
                raise Stopped
            told = f"before the figures were measured; the training is saved in {options.state}"
            _finish(options, trainer, data, device, reporter)
        except Stopped:
            reporter.close()
            reporter.note(f"stopped {told}; go on with --resume")
            return False
        finally:
            reporter.close()
    return True


def _checked(options: SegmenterOptions) -> tuple[Recipe, str]:
    recipe = load_recipe(options.config)
    if options.scenes is not None or options.data:
        recipe = replace(recipe, scenes=options.scenes or 0)
    training_seed(options.seed)
    if options.out.suffix != ".safetensors":
        raise ConfigurationError(f"--out must end with .safetensors, got {options.out}")
    if options.max_minutes is not None and not options.max_minutes > 0:
        raise ConfigurationError(f"--max-minutes must be positive, got {options.max_minutes}")
    if not options.picture_every >= 0:
        raise ConfigurationError(f"--picture-every must be at least 0, got {options.picture_every}")
    if options.threads < 1:
        raise ConfigurationError(f"--threads must be at least 1, got {options.threads}")
    if options.init_from is not None and not options.init_from.is_file():
        raise ConfigurationError(f"no weights to start from at {options.init_from}")
    if options.init_from is not None:  # before the scenes are drawn, not after
        load_weights(recipe.architecture.build(), options.init_from)
    if options.average_start and options.init_from is None:
        raise ConfigurationError("--average-start belongs to --init-from")
    if options.images is not None and not options.data:
        raise ConfigurationError("--images belongs to a COCO .json file of --data")
    if options.plot:
        check_matplotlib()
    is_begun = has_state(options.state)
    if is_begun and not options.resume:
        raise ConfigurationError(
            f"{options.state} holds a training already: add --resume, or choose another --state"
        )
    if options.resume and not is_begun and not (options.pool / POOL_FILE).exists():
        raise ConfigurationError(f"no training state to resume in {options.state}")
    return recipe, choose_device(options.device)


def _open_data(options: SegmenterOptions, recipe: Recipe) -> UserData | None:
    if not options.data:
        return None
    return open_user_data(
        options.data, options.images, recipe.scene_size, options.hold_out, options.seed
    )


def _prepare(
    options: SegmenterOptions, recipe: Recipe, data: UserData | None, reporter: ProgressReporter
) -> None:
    """Draw scenes and read pictures into the pool, unless they are there."""
    sources: list[Source] = []
    if recipe.scenes or data is None:
        first = training_seed(options.seed)
        sources.append(SceneSource(first, recipe.scenes, recipe.scene_size))
    if data is not None:
        sources += data.sources
    what = "scenes drawn" if data is None else "pictures prepared"
    fill_pool(
        options.pool,
        sources,
        options.threads,
        lambda done, total: reporter.count(what, done, total),
    )
    left_out = num_empty(options.pool)
    if left_out:
        reporter.note(f"left out {left_out} annotated pictures: every mask in them is too small")


def _judge(
    options: SegmenterOptions,
    recipe: Recipe,
    data: UserData | None,
    device: str,
    reporter: ProgressReporter,
) -> Judge | None:
    """Who looks at held-out pictures now and then: a user's own if there are any, else scenes."""
    if not options.picture_every:
        return None
    dataset: Dataset
    if data is not None and len(data.held_out):
        dataset = replace(data.held_out, longest=_WATCHED_SIDE)
    elif recipe.scenes:
        dataset = Scenes(len(_WATCHED_SEEDS), recipe.scene_size, _WATCHED_SEEDS)
    else:
        reporter.note("there will be no pictures of what is held out: nothing is")
        return None
    try:
        pictures = held_out_pictures(dataset, _WATCHED, prefers_large=isinstance(dataset, Scenes))
    except ConfigurationError as error:
        reporter.note(f"there will be no pictures of what is held out: {error}")
        return None
    return Judge(recipe.architecture, device, pictures)


def _train(
    options: SegmenterOptions,
    recipe: Recipe,
    device: str,
    judge: Judge | None,
    should_stop: Callable[[], bool],
    reporter: ProgressReporter,
) -> Trainer:
    """Take steps until the end or a request to stop; the trainer says which in `is_finished`."""
    # A training that was stopped before its first step has nothing to restore.
    run = Run(recipe, options.pool, options.state, options.seed, device, options.max_minutes,
              options.init_from, has_state(options.state))  # fmt: skip
    images = [recipe.joint.images] + [recipe.encoder.images] * bool(recipe.encoder.steps)
    count = min(options.threads, *images) if device == "cpu" else 1
    with StartedReplicas(count, run_replica, (run,)) as replicas:
        trainer = Trainer(run, replicas)
        plot = _plotter(options)
        watch = None
        if judge is not None:
            watch = Watch(reporter, trainer, judge, options.picture_every, options.state, plot)
        was_finished = trainer.is_finished
        trainer.train(should_stop, watch or reporter)
        if watch is not None and trainer.is_finished and not was_finished:
            watch.look(1.0)
        plot()
    reporter.close()
    return trainer


def _plotter(options: SegmenterOptions) -> Callable[[], None]:
    def plot() -> None:
        if options.plot and (options.state / LOG_FILE).exists():
            draw_curves(read_log(options.state), options.state / CURVES_FILE)

    return plot


def _finish(
    options: SegmenterOptions,
    trainer: Trainer,
    data: UserData | None,
    device: str,
    reporter: ProgressReporter,
) -> None:
    weights = trainer.averaged_weights()
    if options.average_start and options.init_from is not None:
        start = read_safetensors(options.init_from)
        weights = {name: (start[name].float() + value) / 2 for name, value in weights.items()}
    export_weights(weights, options.out)
    reporter.note(f"wrote {options.out}")
    report = write_report(options, trainer, device)
    if data is not None:
        architecture = trainer.run.recipe.architecture
        folder = options.state / "held_out_pictures"
        report["pictures"] = report_pictures(data, options.out, architecture, device, folder)
    (options.state / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n")
    reporter.note(f"{options.out} has {report['weights']['size_bytes']} bytes")
    for name in _TOLD:
        if name in report["figures"]:
            reporter.note(f"{QUESTIONS[name]}: mean IoU {report['figures'][name]:.3f}")
    if data is not None:
        told = report["pictures"]["figures"] or report["pictures"]["reason"]
        reporter.note(f"held-out pictures: {json.dumps(told)}")
