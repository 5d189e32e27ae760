import numpy as np
import pytest

from suresam.domain import ImageSize, Prompt
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.prompts import prompt_row


def rows_of(backbone, *reds):
    images = [np.full((4, 4, 3), red, np.uint8) for red in reds]
    prompt, size = Prompt(points=[(2, 2)]), ImageSize(4, 4)
    return [prompt_row(prompt, size, e, backbone) for e in backbone.encode(images)]


def test_discs_grow_from_token_to_token_round_the_first_point():
    backbone = FakeBackbone(input_size=64)
    logits = backbone.decode(rows_of(backbone, 7)).low_res_logits
    assert logits.shape == (1, 4, 16, 16)
    areas = (logits[0] > 0).sum((-2, -1)).tolist()
    # Radii of 16, 6.4, 12.8 and 19.2 input pixels: 4, 1.6, 3.2 and 4.8 low-res pixels.
    assert areas == pytest.approx([50.3, 8.0, 32.2, 72.4], abs=6)
    assert (logits[0, 1] > 0)[7:9, 7:9].all()


def test_the_red_value_tells_answers_apart():
    backbone = FakeBackbone()
    decoded = backbone.decode(rows_of(backbone, 0, 100))
    assert decoded.predicted_iou[:, 0].tolist() == pytest.approx([0.5, 0.6])


def test_a_poisoned_row_fails_its_batch():
    backbone = FakeBackbone()
    with pytest.raises(RuntimeError, match="poisoned"):
        backbone.decode(rows_of(backbone, 1, backbone.poison))


def test_a_row_of_nan_leaves_its_neighbours_alone():
    backbone = FakeBackbone()
    finite = backbone.decode(rows_of(backbone, 1, backbone.nan)).low_res_logits.isfinite()
    assert finite.all(-1).all(-1).all(-1).tolist() == [True, False]


def test_launches_are_remembered():
    backbone = FakeBackbone()
    backbone.decode(rows_of(backbone, 1, 2, 3))
    assert backbone.launches == [("encode", 3), ("decode", 3)]
