import numpy as np
import pytest

from suresam import Segmenter
from suresam.domain import Box, Point, Prompt
from suresam.errors import NonFiniteOutput
from suresam.evaluation.contestants import family_contestants
from suresam.evaluation.predictor import BackbonePredictor
from suresam.segmentation.fake import FakeBackbone


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)


@pytest.fixture(scope="module")
def small():
    [contestant] = family_contestants("demo", ["small"], "cpu")
    return contestant.predictor


@pytest.mark.parametrize("multimask", [True, False])
def test_answers_are_the_services(small, image, multimask):
    segmenter = Segmenter("demo", "small", device="cpu")
    embedded, own = segmenter.embed(image), small.embed(image)
    first = segmenter.segment(embedded, points=[(30, 20)])
    for prompt in (
        Prompt(points=(Point(30, 20),)),
        Prompt(points=(Point(30, 20), Point(4, 5)), labels=(1, 0)),
        Prompt(box=Box(10, 5, 50, 40)),
        Prompt(box=Box(10, 5, 50, 40), points=(Point(30, 20),)),
        Prompt(points=(Point(30, 20),), mask_input=first.low_res_logits[0]),
    ):
        [answer] = small.ask(own, [prompt], multimask=multimask)
        expected = segmenter.segment(
            embedded,
            points=prompt.points,
            labels=prompt.labels,
            box=prompt.box,
            mask_input=prompt.mask_input,
            multimask=multimask,
        )
        assert answer.best == expected.best
        assert answer.tokens == tuple(expected.tokens)
        assert answer.predicted_iou == pytest.approx(tuple(expected.predicted_iou))
        for i, mask in enumerate(expected.masks):
            assert np.array_equal(answer.mask(i), mask)


def test_a_box_by_its_corners_alone_is_another_question(small, image):
    own, prompt = small.embed(image), Prompt(box=Box(10, 5, 50, 40))
    [drawn] = small.ask(own, [prompt], multimask=False)
    [told] = small.ask(own, [prompt], multimask=False, corners_only=True)
    assert not np.array_equal(drawn.low_res_logits, told.low_res_logits)


def test_a_box_with_its_rectangle_as_mask_input_is_the_drawn_box(small, image):
    logits = np.full((64, 64), -4, np.float32)
    logits[16:48, 8:40] = 4
    picture = np.ascontiguousarray(image[:, :60].repeat(2, 0).repeat(2, 1))  # 120 x 120
    own, box = small.embed(picture), Box(15, 30, 75, 90)
    [drawn] = small.ask(own, [Prompt(box=box)], multimask=False)
    [given] = small.ask(
        own, [Prompt(box=box, mask_input=logits)], multimask=False, corners_only=True
    )
    assert np.array_equal(drawn.low_res_logits, given.low_res_logits)


def test_many_prompts_go_in_batches_and_come_back_in_order(image):
    backbone = FakeBackbone()
    predictor = BackbonePredictor(backbone, backbone)
    prompts = [Prompt(points=(Point(x, 30),)) for x in range(2, 42)]
    answers = predictor.ask(predictor.embed(image), prompts, multimask=True)
    assert [rows for stage, rows in backbone.launches if stage == "decode"] == [16, 16, 8]
    middles = [float(np.flatnonzero(answer.mask(0).any(axis=0)).mean()) for answer in answers]
    assert middles == sorted(middles)
    assert middles[0] < 10 < 35 < middles[-1]


def test_an_answer_that_is_not_finite_is_an_error(image):
    backbone = FakeBackbone()
    predictor = BackbonePredictor(backbone, backbone)
    broken = image.copy()
    broken[0, 0, 0] = backbone.nan
    with pytest.raises(NonFiniteOutput):
        predictor.ask(predictor.embed(broken), [Prompt(points=(Point(3, 3),))], multimask=True)
