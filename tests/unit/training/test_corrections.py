import torch

from suresam.training.corrections import coarse_mask


def test_a_coarse_mask_is_near_the_target_but_not_it():
    truth = torch.zeros(3, 64, 64)
    truth[0, 10:40, 20:50] = 1
    truth[1, :, :30] = 1
    truth[2, 20:50, 5:60] = 1
    mask = coarse_mask(truth, torch.Generator().manual_seed(1))
    assert mask.shape == truth.shape
    assert mask.abs().max() <= 8
    inside = mask > 0
    iou = (inside & (truth > 0.5)).sum((1, 2)) / (inside | (truth > 0.5)).sum((1, 2))
    assert (iou > 0.5).all()
    assert (iou < 0.99).all()


def test_two_generators_give_two_coarse_masks_and_one_gives_one():
    truth = torch.zeros(1, 32, 32)
    truth[0, 8:24, 8:24] = 1
    first, again, other = (
        coarse_mask(truth, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
