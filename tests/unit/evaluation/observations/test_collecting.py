"""A store fills, goes on where it stopped, and refuses what is not its own."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from evaluation_fakes import CONTESTANTS, rectangle_in

from suresam.datasets import Example
from suresam.datasets.frames import Frames
from suresam.errors import ConfigurationError
from suresam.evaluation.observations import collecting
from suresam.evaluation.observations.collecting import collect
from suresam.evaluation.observations.plan import PROMPTS, ObservationPlan
from suresam.evaluation.targets import TargetChoice
from suresam.segmentation.box_convention import TRAINED_HERE

CHOICE = TargetChoice(per_image=2, num_targets=None)
PLAN = ObservationPlan()
SHAPE = (48, 64)


class Pictures:
    """Some pictures of one colour each, with one to three rectangles."""

    name = "made"

    def __init__(self, count: int = 4, empty: int | None = None) -> None:
        self._count, self._empty = count, empty
        self.image_ids = [f"p{i}" for i in range(count)]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        if index >= self._count:
            raise IndexError
        masks = [rectangle_in(SHAPE, 4 * k, 4, 4 * k + 20, 30) for k in range(1 + index % 3)]
        image = np.full((*SHAPE, 3), 10 + index, np.uint8)
        return Example(f"p{index}", image, [] if index == self._empty else masks)


def test_every_picture_keeps_its_rows_in_the_order_of_the_draw(tmp_path):
    told = []
    store = collect(
        tmp_path, Pictures(4, empty=2), CONTESTANTS, CHOICE, PLAN,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    rows = store.read()
    # One, two, none and one target, by the pictures' numbers; the draw says in which order.
    counts = np.bincount(rows["picture"], minlength=4).tolist()
    assert sorted(counts) == [0, 7, 7, 14]
    assert store.num_rows() == 28
    assert rows["iou"].shape == (28, 2, 4)
    assert told[0] == (0, 4)
    assert told[-1] == (4, 4)
    assert not store.waiting()


def test_what_was_interrupted_goes_on_and_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    def stop_at_two(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(tmp_path / "a", Pictures(), CONTESTANTS, CHOICE, PLAN, progress=stop_at_two)
    asked = []
    original = collecting.observe
    monkeypatch.setattr(collecting, "observe", lambda *args: asked.append(args) or original(*args))
    resumed = collect(tmp_path / "a", Pictures(), CONTESTANTS, CHOICE, PLAN).read()
    assert len(asked) == 2
    whole = collect(tmp_path / "b", Pictures(), CONTESTANTS, CHOICE, PLAN).read()
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name], err_msg=name)


@pytest.mark.parametrize(
    ("pictures", "choice", "message"),
    [
        (Pictures(3), CHOICE, "differ in pictures, images"),
        (Pictures(), TargetChoice(per_image=2, num_targets=None, seed=1), "differ in choice"),
    ],
)
def test_a_store_of_something_else_is_refused(tmp_path, pictures, choice, message):
    collect(tmp_path, Pictures(), CONTESTANTS, CHOICE, PLAN)
    with pytest.raises(ConfigurationError, match=message):
        collect(tmp_path, pictures, CONTESTANTS, choice, PLAN)


def test_a_store_of_other_questions_is_refused(tmp_path):
    collect(tmp_path, Pictures(), CONTESTANTS, CHOICE, PLAN)
    with pytest.raises(ConfigurationError, match="differ in plan"):
        collect(tmp_path, Pictures(), CONTESTANTS, CHOICE, ObservationPlan(mixtures=True))


@pytest.mark.parametrize("change", [CONTESTANTS[::-1], "box"])
def test_another_order_or_reading_of_the_members_is_something_else(tmp_path, change):
    collect(tmp_path, Pictures(), CONTESTANTS, CHOICE, PLAN)
    if change == "box":
        first, second = CONTESTANTS
        manifest = SimpleNamespace(**vars(second.manifest) | {"box": TRAINED_HERE})
        change = [first, SimpleNamespace(**vars(second) | {"manifest": manifest})]
    with pytest.raises(ConfigurationError, match="differ in members"):
        collect(tmp_path, Pictures(), change, CHOICE, PLAN)


def test_the_callers_number_of_threads_is_left_as_it_was(tmp_path):
    torch.set_num_threads(2)
    collect(tmp_path, Pictures(2), CONTESTANTS, CHOICE, PLAN)
    assert torch.get_num_threads() == 2


def test_rows_of_one_prompt_can_be_read_alone(tmp_path):
    store = collect(tmp_path, Pictures(), CONTESTANTS, CHOICE, PLAN)
    everything, boxes = store.read(), store.read(PROMPTS.index("box"))
    is_box = everything["prompt"] == PROMPTS.index("box")
    assert set(boxes) == set(everything)
    for name, values in boxes.items():
        np.testing.assert_array_equal(values, everything[name][is_box], err_msg=name)


def test_pictures_without_a_usable_target_are_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"made: no mask covers"):
        collect(tmp_path, Pictures(1, empty=0), CONTESTANTS, CHOICE, PLAN)


def test_frames_of_one_video_are_resampled_together(tmp_path):
    pictures = Pictures(4)
    videos = {"p0": "a", "p1": "b", "p2": "a", "p3": "b"}
    frames = Frames(
        "made",
        tuple(f"{video}/{picture}" for picture, video in videos.items()),
        lambda image_id: pictures[int(image_id[-1])],
    )
    alone = collect(tmp_path / "pictures", pictures, CONTESTANTS, CHOICE, PLAN).read()
    together = collect(tmp_path / "frames", frames, CONTESTANTS, CHOICE, PLAN).read()
    assert len(np.unique(alone["picture"])) == 4
    assert len(np.unique(together["picture"])) == 2
