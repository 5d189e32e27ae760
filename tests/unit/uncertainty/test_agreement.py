import pytest
import torch

from suresam.uncertainty.agreement import PAIRS, mask_agreement


def discs(*radii):
    grid = torch.arange(64.0) - 31.5
    distance = torch.hypot(grid[None], grid[:, None])
    return torch.stack([radius - distance for radius in radii])


def test_of_certain_masks_it_is_their_iou():
    logits = 1000 * discs(10, 10, 20, 30)
    masks = logits > 0
    found = mask_agreement(logits)
    for place, (one, other) in enumerate(PAIRS):
        iou = (masks[one] & masks[other]).sum() / (masks[one] | masks[other]).sum()
        assert found[place].item() == pytest.approx(iou.item(), abs=1e-5)
    assert found[0].item() == pytest.approx(1)


def test_a_doubtful_mask_agrees_less_than_a_certain_one():
    certain, doubtful = 1000 * discs(10, 10, 10, 10), discs(10, 10, 10, 10)
    doubtful[0] *= 1000
    assert mask_agreement(doubtful)[0] < 0.95 < mask_agreement(certain)[0]


def test_rows_are_by_themselves_and_extremes_are_finite():
    rows = torch.stack([discs(5, 6, 7, 8), torch.full((4, 64, 64), -1e4), discs(30, 2, 9, 1)])
    found = mask_agreement(rows)
    assert found.shape == (3, 6)
    assert found.isfinite().all()
    for row, one in zip(rows, found, strict=True):
        assert torch.allclose(mask_agreement(row), one, atol=1e-6)
    assert mask_agreement(rows[2].flip(0))[5] == pytest.approx(found[2, 0].item())
