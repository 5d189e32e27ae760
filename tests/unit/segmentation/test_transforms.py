import numpy as np
import pytest
import torch

from suresam.domain import ImageSize
from suresam.segmentation.staging import Staging
from suresam.segmentation.transforms import (
    full_size_masks,
    normalise_images,
    resize_mask_input,
)

CPU = Staging(torch.device("cpu"))


def test_a_constant_image_is_normalised_channel_by_channel():
    image = np.empty((3, 5, 3), np.uint8)
    image[:] = 255, 0, 51
    batch = normalise_images([image], 8, CPU)
    assert batch.shape == (1, 3, 8, 8)
    assert batch.dtype == torch.float32
    # (1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225
    expected = torch.tensor([2.248908, -2.035714, -0.915556]).view(1, 3, 1, 1)
    torch.testing.assert_close(batch, expected.expand_as(batch), atol=1e-5, rtol=0)


def test_images_of_several_sizes_make_one_batch_in_their_order():
    images = [np.full((h, w, 3), red, np.uint8) for h, w, red in ((1, 1, 0), (9, 4, 255))]
    batch = normalise_images(images, 4, CPU)
    assert batch.shape == (2, 3, 4, 4)
    torch.testing.assert_close(batch[:1], normalise_images(images[:1], 4, CPU))
    torch.testing.assert_close(batch[1:], normalise_images(images[1:], 4, CPU))
    assert batch[0, 0, 0, 0] < batch[1, 0, 0, 0]


def test_the_channels_stay_red_green_blue():
    image = np.zeros((2, 2, 3), np.uint8)
    image[..., 1] = 255
    red, green, blue = normalise_images([image], 2, CPU)[0, :, 0, 0]
    assert green > 0 > blue > red


def test_upsampled_logits_are_cut_at_zero():
    # Two pixels -1 and 3, upsampled fourfold with half-pixel centres: the centres of the eight
    # lie at -0.375, -0.125, 0.125, ..., 1.375 pixels; between the two pixels the logit is
    # -1 + 4 t, positive for t > 0.25, so that t = 0.375 is the first one inside.
    logits = torch.tensor([[[-1.0, 3.0]]])
    [[mask]] = full_size_masks(logits, ImageSize(8, 1)).tolist()
    assert mask == [False, False, False, True, True, True, True, True]


def test_a_logit_of_exactly_zero_is_background():
    assert not full_size_masks(torch.zeros(1, 2, 2), ImageSize(3, 3)).any()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 13), (640, 480)])
def test_a_mask_has_the_size_of_its_image(width, height):
    masks = full_size_masks(torch.ones(3, 16, 16), ImageSize(width, height))
    assert masks.shape == (3, height, width)
    assert masks.dtype == torch.bool
    assert masks.all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_mask_input_of_the_right_size_keeps_its_values(dtype):
    logits = np.array([[1.5, -2.0], [0.25, 32.0]], dtype)
    resized = resize_mask_input(logits, 2)
    assert resized.dtype == np.float32
    np.testing.assert_array_equal(resized, logits)


@pytest.mark.parametrize("side", [1, 2, 4, 64])
def test_a_mask_input_of_another_member_is_resized(side):
    resized = resize_mask_input(np.full((side, side), 7.5, np.float16), 16)
    assert resized.shape == (16, 16)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, 7.5)


def test_a_smaller_mask_input_is_interpolated_between_pixel_centres():
    # Twofold: centres at -0.25 (outside: the edge), 0.25, 0.75, 1.25 (the edge) of two pixels.
    resized = resize_mask_input(np.array([[0.0, 8.0], [0.0, 8.0]], np.float32), 4)
    np.testing.assert_allclose(resized, [[0.0, 2.0, 6.0, 8.0]] * 4)


def test_a_larger_mask_input_in_any_memory_order_is_averaged():
    checks = np.asfortranarray(np.kron([[1, -1], [-1, 1]], np.full((4, 4), 8.0)), dtype=np.float32)
    resized = resize_mask_input(checks, 2)
    np.testing.assert_allclose(resized, -resized[::-1])
    assert resized[0, 0] > 0
