import numpy as np
import pytest
import torch

from suresam.evaluation.held_out import (
    Example,
    held_out_examples,
    intersection_over_union,
    measure,
)
from suresam.evaluation.pictures import contact_sheet
from suresam.scenes.scene import TEST_SEEDS
from suresam.training.predictor import Answer, ModelPredictor


class Oracle:
    """Answers every prompt with the only mask of the picture, or with nothing at all."""

    def __init__(self, examples: list[Example], is_right: bool) -> None:
        self._truth = {example.image.tobytes(): example.masks[0] for example in examples}
        self._is_right = is_right

    def look(self, image):
        truth = self._truth[image.tobytes()]
        self._mask = truth if self._is_right else np.zeros_like(truth)

    def click(self, points, previous):
        return Answer(np.stack([self._mask] * 4), np.full(4, 0.5), torch.zeros(4, 8, 8))

    def box(self, box, is_drawn):
        return self.click([], None)


@pytest.fixture(scope="module")
def examples():
    return list(held_out_examples(num_scenes=3, size=128, per_scene=1))


def test_a_perfect_predictor_reaches_one_everywhere(examples):
    figures = measure(Oracle(examples, is_right=True), examples).figures()
    asked = ("click_best_of_three", "click_top", "click_single", "three_clicks",
             "box", "box_top", "box_corners_only")  # fmt: skip
    assert {name: figures[name] for name in asked} == dict.fromkeys(asked, 1.0)
    assert figures["num_targets"] == 3
    assert 0 < figures["disc_one_radius"] <= figures["disc_best_of_three"] < 1
    assert figures["predicted_true_correlation"] is None


def test_an_empty_predictor_reaches_nothing(examples):
    figures = measure(Oracle(examples, is_right=False), examples).figures()
    assert figures["click_best_of_three"] == figures["box"] == figures["three_clicks"] == 0


def test_examples_come_from_the_test_seeds_and_are_always_the_same(examples):
    again = list(held_out_examples(num_scenes=3, size=128, per_scene=1, seeds=TEST_SEEDS))
    for one, other in zip(examples, again, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.masks[0], other.masks[0])


def test_two_empty_masks_agree():
    empty = np.zeros((4, 4), bool)
    assert intersection_over_union(empty, empty) == 1.0
    assert intersection_over_union(~empty, empty) == 0.0


def test_an_untrained_model_can_be_measured_and_pictured(tiny_recipe, examples):
    predictor = ModelPredictor(tiny_recipe.architecture.build())
    figures = measure(predictor, examples[:2]).figures()
    assert 0 <= figures["click_top"] <= figures["click_best_of_three"] < 1
    sheet = contact_sheet(predictor, examples, columns=2, side=64)
    assert sheet.shape == (4 * 64, 2 * 64, 3)
