import numpy as np
import pytest
import torch

from suresam.datasets import Example
from suresam.scenes.scene import CALIBRATION_SEEDS, TEST_SEEDS, TRAINING_SEEDS
from suresam.training import segmenter
from suresam.training.judge import Judge, held_out_pictures


class Halves:
    """Pictures whose left half is one thing and whose right half another."""

    name = "halves"

    def __init__(self, count: int) -> None:
        self.image_ids = [str(k) for k in range(count)]

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> Example:
        left = np.zeros((48, 64), np.bool_)
        left[:, :32] = True
        image = np.where(left[..., None], np.uint8(230), np.uint8(20)).repeat(3, axis=2)
        return Example(str(index), image, [left, ~left])


@pytest.fixture
def judge(tiny_recipe):
    return Judge(tiny_recipe.architecture, "cpu", held_out_pictures(Halves(3), 2, False))


@pytest.fixture
def weights(tiny_recipe):
    torch.manual_seed(3)
    return tiny_recipe.architecture.build().state_dict()


def test_it_looks_at_two_targets_of_as_many_pictures_as_are_wanted(judge):
    assert len(judge.pictures) == 2
    assert judge.num_targets == 4


def test_the_watched_scenes_are_neither_trained_nor_tested_nor_calibrated_on():
    seeds = segmenter._WATCHED_SEEDS
    assert len(seeds) == 40
    assert seeds.stop == CALIBRATION_SEEDS.stop  # calibration begins at the other end
    assert TRAINING_SEEDS.stop <= seeds.start
    assert seeds.stop <= TEST_SEEDS.start


def test_the_same_targets_are_asked_for_every_time():
    first, second = (held_out_pictures(Halves(9), 4, False) for _ in range(2))
    assert len({p.image_id for p in first}) == 4
    assert [p.image_id for p in first] == [p.image_id for p in second]
    assert all(
        np.array_equal(a.truth, b.truth)
        for p, q in zip(first, second, strict=True)
        for a, b in zip(p.targets, q.targets, strict=True)
    )


def test_clicks_and_boxes_are_figures_in_the_unit_interval(judge, weights):
    judgement = judge.judge(weights, has_decoder=True, title="now")
    assert judgement.figures.keys() == {
        "held_out_top_iou", "held_out_best_iou", "held_out_box_iou",
    }  # fmt: skip
    assert all(0 <= value <= 1 for value in judgement.figures.values())
    assert judgement.figures["held_out_best_iou"] >= judgement.figures["held_out_top_iou"]


def test_an_encoder_alone_is_judged_by_its_features(judge, weights):
    # Colours so far apart are told apart by random weights too.
    judgement = judge.judge(weights, has_decoder=False, title="now")
    assert judgement.figures["held_out_contrast_iou"] > 0.6


def test_a_judgement_touches_neither_random_numbers_nor_the_model_that_it_was_given(
    tiny_recipe, weights
):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    copies = {name: value.clone() for name, value in weights.items()}
    judge = Judge(tiny_recipe.architecture, "cpu", held_out_pictures(Halves(2), 2, False))
    np.random.seed(5)
    expected = np.random.get_state()[1].copy()
    judge.judge(weights, has_decoder=True, title="")
    judge.judge(weights, has_decoder=False, title="")
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], expected)
    assert all(torch.equal(copies[name], value) for name, value in weights.items())


def test_two_judgements_of_the_same_weights_are_equal(judge, weights):
    first, second = (judge.judge(weights, has_decoder=True, title="a") for _ in range(2))
    assert first.figures == second.figures
    assert first.sheet.tobytes() == second.sheet.tobytes()
