"""Pieces of a mask away from the target, and what they cost."""

import numpy as np
import torch
from torch.nn.functional import softplus

from suresam.training.islands import island_loss, islands


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A target, and a mask of three pieces: one on the target, one beside it, one far away."""
    target = np.zeros((16, 16), bool)
    target[2:6, 2:6] = True
    mask = np.zeros((16, 16), bool)
    mask[4:8, 4:8] = True  # overlaps the target's corner
    mask[0:2, 10:12] = True
    mask[12:15, 12:16] = True
    return mask, target


def test_what_does_not_touch_the_target_is_an_island():
    mask, target = scene()
    expected = mask.copy()
    expected[4:8, 4:8] = False
    np.testing.assert_array_equal(islands(mask, target), expected)


def test_a_mask_that_misses_the_target_is_all_island_and_an_empty_one_has_none():
    mask, target = scene()
    np.testing.assert_array_equal(islands(mask, np.zeros_like(target)), mask)
    assert not islands(np.zeros_like(mask), target).any()


def test_islands_cost_their_cross_entropy_by_the_size_of_mask_and_target():
    mask, target = scene()
    logits = torch.from_numpy(np.where(mask, 3.0, -3.0)).float()
    both = torch.stack([logits, torch.from_numpy(np.where(target, 3.0, -3.0)).float()])
    loss = island_loss(both[None], torch.from_numpy(target).float()[None])
    assert loss.shape == (1, 2)
    far = 4 + 12
    expected = far * softplus(torch.tensor(3.0)) / (mask.sum() + target.sum())
    torch.testing.assert_close(loss, torch.tensor([[expected.item(), 0.0]]))


def test_a_thin_target_that_fills_no_pixel_is_still_the_target():
    mask = np.zeros((16, 16), bool)
    mask[8, 2:14] = True
    truth = torch.from_numpy(mask).float()[None] * 0.4
    logits = torch.from_numpy(np.where(mask, 3.0, -3.0)).float()[None, None]
    assert island_loss(logits, truth).item() == 0.0


def test_only_the_islands_are_pushed_down():
    mask, target = scene()
    logits = torch.from_numpy(np.where(mask, 1.0, -1.0)).float()[None, None].requires_grad_()
    island_loss(logits, torch.from_numpy(target).float()[None]).sum().backward()
    np.testing.assert_array_equal(logits.grad[0, 0].numpy() > 0, islands(mask, target))
