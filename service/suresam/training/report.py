"""What a finished training leaves behind: the weight file and the report about it."""

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from suresam.datasets.procedural import NUM_SCENES, SCENE_SIZE, Scenes
from suresam.evaluation.contestants import Contestant, weights_contestant
from suresam.evaluation.files import write_files
from suresam.evaluation.run import evaluate, flat_figures, library_versions
from suresam.evaluation.targets import usual_choice
from suresam.machine import source_commit
from suresam.scenes.scene import TEST_SEEDS
from suresam.segmentation.tensor_files import write_safetensors
from suresam.segmentation.weights import file_sha256
from suresam.training.loop import Trainer
from suresam.training.pool import training_seed

if TYPE_CHECKING:
    from suresam.training.segmenter import SegmenterOptions

HELD_OUT, CONTACT_SHEET = "held_out", "contact.png"
"""In the state folder: the folder of the evaluation's files, and the best and worst answers."""


def export_weights(weights: dict[str, Tensor], path: Path) -> None:
    """Write the weights as float16 safetensors, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors({name: value.half() for name, value in weights.items()}, path)


def write_report(options: "SegmenterOptions", trainer: Trainer, device: str) -> dict[str, Any]:
    """Figures of the exported weights on held-out scenes, and circumstances, for JSON.

    The evaluation's own files go into the state folder too. Where there are no scenes to train
    or to measure on, there are no figures: somebody else measures.
    """
    recipe = trainer.run.recipe
    contestant = weights_contestant(options.out, recipe.architecture, options.out.stem, device)
    figures = _measure(options, contestant) if recipe.scenes and options.held_out_scenes else {}
    first = training_seed(options.seed)
    return {
        "config": options.config,
        "recipe": recipe.to_dict(),
        "seed": options.seed,
        "commit": source_commit(),
        "data": {
            "scenes": recipe.scenes,
            "training_scene_seeds": [first, first + recipe.scenes],
            "scene_size": recipe.scene_size,
            "views_seen": trainer.num_scenes_seen,
            "held_out_scene_seeds": [TEST_SEEDS.start, TEST_SEEDS.start + NUM_SCENES],
            "held_out_scene_size": SCENE_SIZE,
        },
        "init_from": None if options.init_from is None else {
            "file": str(options.init_from),
            "sha256": file_sha256(options.init_from),
            "averaged_with_it": options.average_start,
        },
        "training_hours": round(trainer.seconds / 3600, 3),
        "max_minutes": options.max_minutes,
        "joint_steps": trainer.step,
        "device": device,
        "processes": trainer.replicas.count,
        "machine": platform.platform(),
        "num_parameters": contestant.predictor.backbone.num_parameters,
        "weights": {
            "file": str(options.out),
            "size_bytes": options.out.stat().st_size,
            "sha256": contestant.sha256,
            "dtype": "float16",
        },
        "figures": figures,
        "versions": library_versions(),
    }  # fmt: skip


def _measure(options: "SegmenterOptions", contestant: Contestant) -> dict[str, float | int]:
    scenes = Scenes(options.held_out_scenes)
    choice = usual_choice(scenes, num_targets=None)
    evaluation = evaluate(scenes, [contestant], choice, stream=sys.stderr, num_grabcuts=0)
    name, folder = contestant.manifest.name, options.state / HELD_OUT
    circumstances = {
        "machine": {"platform": platform.platform()},
        "weights": {name: {"file": str(options.out), "sha256": contestant.sha256}},
    }
    write_files(evaluation, circumstances, folder)
    (folder / f"contact-{name}.png").replace(options.state / CONTACT_SHEET)
    return flat_figures(evaluation, name)
