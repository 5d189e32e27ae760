"""What a finished training leaves behind: the weight file and the report about it."""

import platform
import subprocess
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from suresam.evaluation.held_out import (
    SCENE_SIZE,
    TARGETS_PER_SCENE,
    held_out_examples,
    measure,
)
from suresam.evaluation.pictures import contact_sheet
from suresam.scenes.scene import TEST_SEEDS
from suresam.training.loop import Trainer, load_weights
from suresam.training.pool import training_seed
from suresam.training.predictor import ModelPredictor

if TYPE_CHECKING:
    from suresam.training.segmenter import SegmenterOptions

_PICTURED = 24
"""Held-out scenes on the contact sheet."""


def export_weights(weights: dict[str, Tensor], path: Path) -> None:
    """Write the weights as float16 safetensors, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in weights.items()}
    partial = path.with_suffix(".partial")
    save_file(half, partial)
    partial.chmod(0o644)  # safetensors writes for the owner alone
    partial.replace(path)


def write_report(options: "SegmenterOptions", trainer: Trainer, device: str) -> dict[str, Any]:
    """Measure the exported weights on held-out scenes; figures and circumstances, for JSON."""
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
