import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from suresam.domain import ImageSize
from suresam.segmentation.mask_bits import pack_masks, pack_on_device
from suresam.segmentation.transforms import full_size_masks


def smooth_logits(side, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 3, 8, 8, generator=generator)
    return 5 * interpolate(coarse, (side, side), mode="bicubic")[0]


def unpack(packed, size):
    bits = np.unpackbits(packed, axis=1, count=size.width * size.height)
    return bits.reshape(len(packed), size.width, size.height).transpose(0, 2, 1).astype(bool)


def test_bits_stand_column_by_column_the_first_one_highest():
    """A 3 x 3 image whose first column and one more pixel are positive."""
    logits = torch.tensor([[[1.0, -1, -1], [1, -1, -1], [1, 1, -1]]])
    assert pack_masks(logits, ImageSize(3, 3)).tolist() == [[0b11100100, 0]]


@pytest.mark.parametrize(
    "size",
    [(640, 480), (1, 1), (1, 900), (900, 1), (7, 3), (257, 255), (1600, 1200), (40_000, 2)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
@pytest.mark.parametrize("side", [16, 64, 256])
def test_the_masks_are_those_of_upstreams_interpolation(size, side):
    size, logits = ImageSize(*size), smooth_logits(side)
    wanted = full_size_masks(logits, size).numpy()
    found = unpack(pack_masks(logits, size).numpy(), size)
    # float32 rounds in another order: where the logit is 0 to seven digits either is right.
    assert (found != wanted).sum() <= 2e-6 * wanted.size + 1


@pytest.mark.parametrize("size", [(8, 4), (7, 3), (1, 1), (640, 480)], ids=str)
def test_packing_on_the_device_packs_the_same(size):
    size, logits = ImageSize(*size), smooth_logits(16)
    masks = full_size_masks(logits, size)
    wanted = np.packbits(masks.transpose(1, 2).reshape(3, -1).numpy(), axis=1)
    assert np.array_equal(pack_on_device(masks).numpy(), wanted)


def test_zero_is_background():
    assert not pack_masks(torch.zeros(2, 4, 4), ImageSize(5, 5)).any()
