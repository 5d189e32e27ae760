"""Twenty steps from one seed: run twice, stopped half way, and watched, always the same weights."""

import io
from dataclasses import replace

import pytest
import torch

from suresam.datasets.procedural import Scenes
from suresam.scenes.scene import CALIBRATION_SEEDS
from suresam.training.judge import Judge, held_out_pictures
from suresam.training.loop import Run, Trainer
from suresam.training.progress import ProgressReporter
from suresam.training.replicas import Replicas
from suresam.training.watch import LATEST, Watch

ALONE = Replicas(rank=0, count=1, meeting_place="")
ENCODER_STEPS, JOINT_STEPS = 8, 12


@pytest.fixture
def run(tiny_recipe, tiny_pool, tmp_path):
    encoder = replace(tiny_recipe.encoder, steps=ENCODER_STEPS)
    joint = replace(tiny_recipe.joint, steps=JOINT_STEPS)
    recipe = replace(tiny_recipe, encoder=encoder, joint=joint)
    return Run(recipe, tiny_pool, tmp_path, 0, "cpu", None, None, False)


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    raw = {f"raw.{name}": value for name, value in trainer.model.state_dict().items()}
    return {**trainer.averaged_weights(), **raw}


def assert_equal(found: Trainer, expected: dict[str, torch.Tensor]) -> None:
    assert weights(found).keys() == expected.keys()
    for name, value in weights(found).items():
        assert torch.equal(value, expected[name]), name


class Steps:
    """Counts steps, and asks to stop after some."""

    def __init__(self, last: int) -> None:
        self.taken, self.last = 0, last

    def step(self, stage: str, step: int, progress: float, figures: dict[str, float]) -> None:
        self.taken += 1

    def is_enough(self) -> bool:
        return self.taken >= self.last - 1  # it is asked before the step is told


class Looks:
    """Has a watch look after some of the steps, rather than by the clock."""

    def __init__(self, watch: Watch, at: tuple[int, ...]) -> None:
        self.taken, self.watch, self.at = 0, watch, at

    def step(self, stage: str, step: int, progress: float, figures: dict[str, float]) -> None:
        self.taken += 1
        self.watch.step(stage, step, progress, figures)
        if self.taken in self.at:
            self.watch.look(progress)


def test_two_runs_are_equal_and_so_are_a_resumed_and_a_watched_one(run, tmp_path):
    expected = weights(_trained(run))

    assert_equal(_trained(run), expected)

    steps = Steps(10)
    assert not Trainer(run, ALONE).train(steps.is_enough, steps)
    assert steps.taken == 10
    resumed = Trainer(replace(run, resume=True), ALONE)
    assert (resumed.stage, resumed.step) == ("joint", 10 - ENCODER_STEPS)
    assert resumed.train(lambda: False, None)
    assert_equal(resumed, expected)

    folder = tmp_path / "watched"
    folder.mkdir()
    watched = Trainer(replace(run, state=folder), ALONE)
    scenes = Scenes(2, 128, CALIBRATION_SEEDS[-2:])
    judge = Judge(run.recipe.architecture, "cpu", held_out_pictures(scenes, 1, True))
    reporter = ProgressReporter(io.StringIO(), folder / "log.jsonl")
    watch = Watch(reporter, watched, judge, 1e9, folder)
    assert watched.train(lambda: False, Looks(watch, at=(4, 14)))
    log = (folder / "log.jsonl").read_text()
    assert "held_out_contrast_iou" in log
    assert "held_out_top_iou" in log
    assert (folder / LATEST).exists()
    assert_equal(watched, expected)


def _trained(run: Run) -> Trainer:
    trainer = Trainer(run, ALONE)
    assert trainer.train(lambda: False, None)
    return trainer
