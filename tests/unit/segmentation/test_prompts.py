import numpy as np
import pytest

from suresam.domain import ImageSize, Prompt
from suresam.segmentation.box_convention import BoxConvention
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.prompts import prompt_row

SIZE = ImageSize(640, 480)


@pytest.fixture
def backbone():
    return FakeBackbone(input_size=64)


def row(backbone, **prompt):
    [embedding] = backbone.encode([np.zeros((2, 2, 3), np.uint8)])
    return prompt_row(Prompt(**prompt), SIZE, embedding, backbone)


def test_width_and_height_scale_separately(backbone):
    # 64 / 640 = 0.1 and 64 / 480 = 2 / 15.
    made = row(backbone, points=[(320, 240), (10, 15), (0, 0)])
    np.testing.assert_allclose(made.points, [[32, 32], [1, 2], [0, 0]], rtol=1e-6)
    assert made.points.dtype == np.float32
    assert made.labels.tolist() == [1, 1, 1]
    assert made.labels.dtype == np.int32
    assert made.mask_input is None
    assert made.shape == (3, False)


def test_labels_are_kept(backbone):
    assert row(backbone, points=[(1, 1), (2, 2)], labels=[0, 1]).labels.tolist() == [0, 1]


def test_a_box_is_two_corners_before_the_points(backbone):
    made = row(backbone, points=[(320, 240)], labels=[0], box=(10, 15, 640, 480))
    np.testing.assert_allclose(made.points, [[1, 2], [64, 64], [32, 32]], rtol=1e-6)
    assert made.labels.tolist() == [2, 3, 0]
    assert made.shape == (3, False)


def test_a_box_alone_is_a_prompt(backbone):
    made = row(backbone, box=(0, 0, 320, 240))
    np.testing.assert_allclose(made.points, [[0, 0], [32, 32]])
    assert made.labels.tolist() == [2, 3]


def test_a_box_is_drawn_where_the_checkpoint_was_trained_so():
    # Input 64, low-res 16: the left upper quarter of the image is the left upper 8 x 8.
    backbone = FakeBackbone(input_size=64, box=BoxConvention(as_mask_input=True))
    made = row(backbone, box=(0, 0, 320, 240))
    expected = np.full((16, 16), -4.0)
    expected[:8, :8] = 4.0
    np.testing.assert_array_equal(made.mask_input, expected)
    assert made.mask_input.dtype == np.float32
    assert made.shape == (2, True)


def test_no_box_draws_nothing():
    backbone = FakeBackbone(box=BoxConvention(as_mask_input=True))
    assert row(backbone, points=[(1, 1)]).mask_input is None


def test_a_mask_input_stands_in_for_the_drawn_box():
    backbone = FakeBackbone(box=BoxConvention(as_mask_input=True))
    sent = np.full((16, 16), 2.5, np.float32)
    np.testing.assert_array_equal(row(backbone, box=(0, 0, 9, 9), mask_input=sent).mask_input, sent)


def test_a_mask_input_of_another_size_is_resized(backbone):
    made = row(backbone, points=[(1, 1)], mask_input=np.full((256, 256), 3.0, np.float16))
    np.testing.assert_allclose(made.mask_input, np.full((16, 16), 3.0))
    assert made.mask_input.dtype == np.float32
    assert made.shape == (1, True)
