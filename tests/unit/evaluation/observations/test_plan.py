"""The prompts of a target: what each holds, and that a seed fixes them."""

import numpy as np
import pytest

from suresam.domain import Point, Prompt
from suresam.evaluation.observations.plan import PROMPTS, by_shape, denser, plan_prompt
from suresam.evaluation.predictor import BackbonePredictor
from suresam.segmentation.fake import FakeBackbone

TRUTH = np.zeros((48, 64), bool)
TRUTH[10:40, 20:50] = True


def plan(seed: int) -> list[Prompt]:
    backbone = FakeBackbone(input_size=64)
    predictor = BackbonePredictor(backbone, backbone)
    image = predictor.embed(np.zeros((48, 64, 3), np.uint8))
    return [
        plan_prompt(name, TRUTH, image, predictor, np.random.default_rng([seed, place]))
        for place, name in enumerate(PROMPTS)
    ]


def told(prompt: Prompt) -> tuple[object, ...]:
    mask = None if prompt.mask_input is None else prompt.mask_input.tobytes()
    return prompt.points, prompt.point_labels, prompt.box, mask


def test_every_kind_of_prompt_is_there():
    for seed in range(20):
        prompts = dict(zip(PROMPTS, plan(seed), strict=True))
        assert {name: prompt.kind for name, prompt in prompts.items()} == {
            "centre_click": "one_click",
            "random_click": "one_click",
            "clicks": "clicks",
            "corrections": "mask_input",
            "box": "box",
            "box_and_click": "box_and_clicks",
            "coarse_mask": "mask_input",
        }
        assert prompts["centre_click"].points == (Point(34, 24),)
        x, y = prompts["random_click"].points[0]
        assert TRUTH[int(y), int(x)]
        assert 2 <= len(prompts["clicks"].points) <= 4
        assert 2 <= len(prompts["corrections"].points) <= 6
        assert prompts["box_and_click"].box == (20, 10, 50, 40)


def test_a_correction_lies_where_the_answer_before_was_wrong():
    prompt = dict(zip(PROMPTS, plan(3), strict=True))["clicks"]
    # The fake answers with a disc round the first click, smaller than the square.
    for (x, y), label in list(zip(prompt.points, prompt.point_labels, strict=True))[1:]:
        assert TRUTH[int(y), int(x)] == bool(label)


def test_a_seed_fixes_every_prompt():
    assert [told(p) for p in plan(5)] == [told(p) for p in plan(5)]
    assert [told(p) for p in plan(5)] != [told(p) for p in plan(6)]


@pytest.mark.parametrize("size", [3, 900])
def test_a_denser_prompt_has_seven_more_clicks_inside(size):
    truth = TRUTH if size == 900 else np.zeros_like(TRUTH)
    truth.reshape(-1)[5 : 5 + (size == 3) * 3] = True
    prompt = Prompt(points=(Point(1, 2),), labels=(0,), box=(1, 1, 9, 9))
    dense = denser(prompt, truth, np.random.default_rng(0))
    assert dense.points[0] == (1, 2)
    assert dense.labels == (0, *[1] * 7)
    assert dense.box == prompt.box
    added = dense.points[1:]
    assert all(truth[int(y), int(x)] for x, y in added)
    assert len(set(added)) == (7 if size == 900 else len(set(added)))


def test_equal_shapes_go_together_but_not_too_many():
    assert by_shape(["a", "b", "a", "a", "b"], 2) == [[0, 2], [3], [1, 4]]
