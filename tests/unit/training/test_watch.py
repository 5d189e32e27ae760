import io
import json
from types import SimpleNamespace

import pytest
from PIL import Image

from suresam.errors import NonFiniteOutput
from suresam.training.judge import Judgement
from suresam.training.progress import ProgressReporter
from suresam.training.watch import Watch


class OneColour:
    """Judges every weights alike; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bool, str]] = []
        self.is_broken = False

    def judge(self, weights: dict, has_decoder: bool, title: str) -> Judgement:
        self.asked.append((has_decoder, title))
        if self.is_broken:
            raise NonFiniteOutput("the model answered with NaN")
        shade = len(self.asked)
        return Judgement({"held_out_top_iou": 0.25}, Image.new("RGB", (4, 4), (shade, 0, 0)))


@pytest.fixture
def trainer():
    return SimpleNamespace(
        seconds=0.0, stage="encoder", step=0, run=None, averaged_weights=lambda: {}
    )


@pytest.fixture
def told():
    return io.StringIO()


@pytest.fixture
def watch(trainer, told, tmp_path):
    reporter = ProgressReporter(told, tmp_path / "log.jsonl")
    return Watch(reporter, trainer, OneColour(), 10.0, tmp_path)


def go_on(watch: Watch, trainer, minutes: float) -> None:
    trainer.seconds = 60 * minutes
    trainer.step += 1
    watch.step(trainer.stage, trainer.step, 0.5, {"loss": 1.0, "minutes": minutes})


def test_it_looks_once_every_so_many_minutes_of_training(watch, trainer, tmp_path):
    for minutes in (0.0, 9.9, 10.1, 15.0, 19.9, 20.0, 41.0, 49.0):
        go_on(watch, trainer, minutes)
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == [
        "contact-00010min.png",
        "contact-00020min.png",
        "contact-00041min.png",
        "contact.png",
    ]
    latest = Image.open(tmp_path / "contact.png")
    assert latest.getpixel((0, 0)) == (3, 0, 0)


def test_a_training_that_goes_on_is_not_looked_at_before_its_turn(trainer, told, tmp_path):
    trainer.seconds = 60 * 25.0
    reporter = ProgressReporter(told, tmp_path / "log.jsonl")
    judge = OneColour()
    watch = Watch(reporter, trainer, judge, 10.0, tmp_path)
    go_on(watch, trainer, 25.1)
    assert judge.asked == []
    go_on(watch, trainer, 30.0)
    assert len(judge.asked) == 1


def test_the_log_and_the_line_have_the_figures(watch, trainer, told, tmp_path):
    trainer.stage = "joint"
    go_on(watch, trainer, 12.0)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert entries[-1] == {
        "stage": "joint", "step": 1, "progress": 0.5, "minutes": 12.0, "held_out_top_iou": 0.25,
    }  # fmt: skip
    assert told.getvalue().splitlines()[-1] == "12 min, joint step 1: held_out_top_iou=0.250"


def test_only_the_joint_stage_has_a_decoder_to_ask(watch, trainer):
    go_on(watch, trainer, 12.0)
    trainer.stage = "joint"
    go_on(watch, trainer, 22.0)
    assert [has_decoder for has_decoder, _ in watch._judge.asked] == [False, True]


def test_an_answer_that_is_not_finite_is_told_and_training_goes_on(watch, trainer, told, tmp_path):
    watch._judge.is_broken = True
    go_on(watch, trainer, 12.0)
    assert "the model answered with NaN" in told.getvalue()
    assert not (tmp_path / "contact.png").exists()
