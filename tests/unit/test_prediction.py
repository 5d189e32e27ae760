import numpy as np
import pytest
import torch
from heads import calibration_of, heads_of

from suresam.domain import Box, ImageSize, Prediction, Prompt
from suresam.errors import NonFiniteOutput
from suresam.prediction import Wanted, predict
from suresam.segmentation.box_convention import BoxConvention
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.transforms import full_size_masks
from suresam.uncertainty.entropy import binary_entropy, mask_entropy

SIZE = ImageSize(64, 64)


@pytest.fixture
def backbone():
    return FakeBackbone(input_size=64)


def row_of(backbone, red=0, size=SIZE, point=None):
    [embedding] = backbone.encode([np.full((2, 2, 3), red, np.uint8)])
    point = point or (size.width / 2, size.height / 2)
    return prompt_row(Prompt(points=[point]), size, embedding, backbone)


def predict_one(backbone, wanted, **row):
    [prediction] = predict(backbone, [row_of(backbone, **row)], [wanted])
    assert isinstance(prediction, Prediction)
    return prediction


def test_three_candidates_with_multimask(backbone):
    prediction = predict_one(backbone, Wanted(SIZE))
    assert prediction.tokens == (1, 2, 3)
    assert prediction.predicted_iou == pytest.approx((0.4, 0.7, 0.6))
    assert prediction.best == 1
    assert prediction.mask_bits.shape == (3, 512)
    assert prediction.low_res_logits is None
    assert prediction.entropy_maps is None


class FlatTokenZero(FakeBackbone):
    """Its single mask is all on the cut, so that no mask of it is stable."""

    def decode(self, rows):
        decoded = super().decode(rows)
        decoded.low_res_logits[:, 0] = 0.0
        return decoded


def test_a_stable_single_mask_is_token_0():
    # At input size 1024 the disc is wide beside its border, hence stable.
    backbone = FakeBackbone(input_size=1024)
    prediction = predict_one(backbone, Wanted(SIZE, multimask=False))
    assert prediction.tokens == (0,)
    assert prediction.predicted_iou == pytest.approx((0.5,))
    assert prediction.mask_bits.shape == (1, 512)
    assert prediction.best == 0


def test_an_unstable_single_mask_is_the_best_candidate():
    prediction = predict_one(FlatTokenZero(), Wanted(SIZE, multimask=False))
    assert prediction.tokens == (2,)
    assert prediction.predicted_iou == pytest.approx((0.7,))


@pytest.mark.parametrize(("by_token_0", "tokens"), [(True, (0,)), (False, (2,))])
def test_a_checkpoint_may_answer_boxes_by_token_0_stable_or_not(by_token_0, tokens):
    backbone = FlatTokenZero(box=BoxConvention(by_token_0=by_token_0))
    [embedding] = backbone.encode([np.zeros((2, 2, 3), np.uint8)])
    two_points = Prompt(points=[(8, 8), (40, 40)])
    rows = [
        prompt_row(prompt, SIZE, embedding, backbone)
        for prompt in (Prompt(box=Box(8, 8, 40, 40)), two_points)
    ]
    by_box, by_points = predict(backbone, rows, [Wanted(SIZE, multimask=False)] * 2)
    assert by_box.tokens == tokens
    assert by_points.tokens == (2,)
    [three, _] = predict(backbone, rows, [Wanted(SIZE)] * 2)
    assert three.tokens == (1, 2, 3)


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (640, 480)])
def test_a_mask_is_the_thresholded_upsample(backbone, size):
    size = ImageSize(*size)
    row = row_of(backbone, size=size, point=(size.width / 3, size.height / 2))
    [prediction] = predict(backbone, [row], [Wanted(size)])
    masks = full_size_masks(backbone.decode([row]).low_res_logits[0, 1:], size).numpy()
    for index in range(3):
        mask = prediction.mask(index)
        assert mask.shape == (size.height, size.width)
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, masks[index])


class LoudBackbone(FakeBackbone):
    """Its logits are a hundred times the fake's."""

    def decode(self, rows):
        decoded = super().decode(rows)
        decoded.low_res_logits.mul_(100)
        return decoded


def test_low_res_logits_are_float16_within_32():
    backbone = LoudBackbone()
    row = row_of(backbone)
    [prediction] = predict(backbone, [row], [Wanted(SIZE, low_res_logits=True, masks=False)])
    assert prediction.mask_bits is None
    assert prediction.low_res_logits.shape == (3, 16, 16)
    assert prediction.low_res_logits.dtype == np.float16
    raw = backbone.decode([row]).low_res_logits[0, 1:].numpy()
    np.testing.assert_array_equal(prediction.low_res_logits, raw.clip(-32, 32).astype(np.float16))
    assert (prediction.low_res_logits.min(), prediction.low_res_logits.max()) == (-32, 32)


def test_maps_and_scores_are_those_of_the_returned_masks(backbone):
    row = row_of(backbone)
    [prediction] = predict(backbone, [row], [Wanted(SIZE, maps=True, entropy=True)])
    logits = backbone.decode([row]).low_res_logits[0, 1:]
    np.testing.assert_array_equal(prediction.entropy_maps, binary_entropy(logits).half().numpy())
    assert prediction.entropy == pytest.approx(mask_entropy(logits).tolist())
    inner, outer = (logits > 1).sum((-2, -1)), (logits > -1).sum((-2, -1))
    assert prediction.stability == pytest.approx((inner / outer).tolist())


def test_scores_that_nobody_wants_are_not_told_though_a_neighbour_wants_them(backbone):
    rows = [row_of(backbone), row_of(backbone)]
    silent, told = predict(backbone, rows, [Wanted(SIZE), Wanted(SIZE, entropy=True)])
    assert silent.entropy is None
    assert len(told.entropy) == 3


def test_a_row_of_nan_is_its_own_error_and_its_neighbours_are_fine(backbone):
    reds = (1, backbone.nan, 3)
    rows = [row_of(backbone, red=red) for red in reds]
    first, bad, last = predict(backbone, rows, [Wanted(SIZE)] * 3)
    assert isinstance(bad, NonFiniteOutput)
    for prediction, red in ((first, 1), (last, 3)):
        alone = predict_one(backbone, Wanted(SIZE), red=red)
        assert prediction.predicted_iou == alone.predicted_iou
        np.testing.assert_array_equal(prediction.mask_bits, alone.mask_bits)


class NoIou(FakeBackbone):
    """Its predicted IoU of one token is infinite."""

    def decode(self, rows):
        decoded = super().decode(rows)
        decoded.predicted_iou[0, 3] = torch.inf
        return decoded


def test_an_infinite_predicted_iou_is_an_error():
    backbone = NoIou()
    [error] = predict(backbone, [row_of(backbone)], [Wanted(SIZE)])
    assert isinstance(error, NonFiniteOutput)


def test_each_row_gets_what_its_caller_wants(backbone):
    wanted = [
        Wanted(ImageSize(3, 5), multimask=False),
        Wanted(ImageSize(9, 2), masks=False, maps=True),
    ]
    single, many = predict(backbone, [row_of(backbone), row_of(backbone)], wanted)
    assert (len(single.tokens), single.mask(0).shape, single.entropy_maps) == (1, (5, 3), None)
    assert (len(many.tokens), many.mask_bits, len(many.entropy_maps)) == (3, None, 3)


def test_heads_are_told_to_those_who_ask_and_follow_the_token_that_made_the_mask():
    backbone = FlatTokenZero()
    heads = heads_of("fake-small")
    rows = [row_of(backbone, red=red) for red in (10, 20, 30)]
    wanted = [
        Wanted(SIZE, heads=True),
        Wanted(SIZE),
        Wanted(SIZE, multimask=False, heads=True),
    ]
    three, silent, single = predict(backbone, rows, wanted, heads)
    assert silent.heads is None
    assert single.tokens == (2,)
    decoded = backbone.decode(rows)
    scores = heads.heads.score(decoded.iou_token, decoded.mask_tokens)
    for prediction, row in ((three, 0), (single, 2)):
        assert len(prediction.heads) == len(prediction.tokens)
        for told, token in zip(prediction.heads, prediction.tokens, strict=True):
            values = [told.values[name] for name in heads.heads.info.names]
            assert values == pytest.approx(scores[row, token].tolist(), abs=1e-6)


def test_advice_is_given_to_those_who_ask(backbone):
    calibration = calibration_of("fake-small", "fake-large")
    heads = heads_of("fake-small", calibration=calibration)
    wanted = [Wanted(SIZE, heads=True, advice=True), Wanted(SIZE, heads=True), Wanted(SIZE)]
    rows = [row_of(backbone) for _ in wanted]
    advised, read, plain = predict(backbone, rows, wanted, heads)
    assert advised.advice is not None
    assert (read.advice, plain.advice) == (None, None)
    assert [m.expected_iou for m in read.heads] == [m.expected_iou for m in advised.heads]


def test_without_heads_none_are_told(backbone):
    assert predict_one(backbone, Wanted(SIZE, heads=True)).heads is None


def test_heads_that_are_not_finite_fail_their_row_alone(backbone):
    heads = heads_of("fake-small")
    rows = [row_of(backbone, red) for red in (1, 2)]
    heads.heads.weights["layers.0.bias"][:] = float("nan")
    wanted = [Wanted(SIZE, heads=True), Wanted(SIZE)]
    first, second = predict(backbone, rows, wanted, heads)
    assert isinstance(first, NonFiniteOutput)
    assert isinstance(second, Prediction)
