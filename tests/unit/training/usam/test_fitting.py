"""Heads learn what tokens say, alone and together, and the same from the same seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from heads import info_of

from suresam.training.usam.fitting import FitOptions, Masks, fit_heads, pick_masks

INFO = info_of()
OPTIONS = FitOptions(hidden=16, epochs=40, batch=64, learning_rate=1e-2, seed=1)


def masks(count: int = 600) -> Masks:
    """Tokens whose first value says every target."""
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randn(count, 6, generator=generator)
    sigmoid = pairs[:, 0].sigmoid()
    shifts = torch.tensor([0.5 if name.endswith("_gap") else 0.0 for name in INFO.names])
    targets = sigmoid[:, None] - shifts
    return Masks(pairs, targets)


def test_heads_learn_and_each_step_is_told():
    told = []
    heads = fit_heads(INFO, masks(), OPTIONS, lambda epoch, loss: told.append((epoch, loss)))
    assert [epoch for epoch, _ in told] == list(range(1, 41))
    assert told[-1][1] < 0.1 * told[0][1]
    fresh = masks(700)
    error = (heads.score_pairs(fresh.pairs[600:]) - fresh.targets[600:]).abs().mean()
    assert error < 0.05
    assert not any(weight.requires_grad for weight in heads.weights.values())


def test_equal_seeds_give_equal_heads_and_others_do_not():
    options = replace(OPTIONS, epochs=2)
    first, second = (fit_heads(INFO, masks(), options) for _ in range(2))
    other = fit_heads(INFO, masks(), replace(options, seed=2))
    for name, weight in first.weights.items():
        assert torch.equal(weight, second.weights[name])
    assert not torch.equal(first.weights["layers.0.weight"], other.weights["layers.0.weight"])


def test_a_head_learns_from_the_masks_that_have_a_target_for_it():
    known = masks()
    holes = known.targets.clone()
    holes[:300, 4] = torch.nan
    holes[:, 5] = torch.nan
    heads = fit_heads(INFO, Masks(known.pairs, holes), OPTIONS)
    said = heads.score_pairs(known.pairs)
    assert said.isfinite().all()
    assert (said[:, 4] - known.targets[:, 4]).abs().mean() < 0.05


def test_gaps_beyond_one_half_are_clipped():
    far = masks()
    targets = torch.full_like(far.targets, 0.9)
    heads = fit_heads(INFO, Masks(far.pairs, targets), OPTIONS)
    said = heads.score_pairs(far.pairs).mean(0)
    for name, value in zip(INFO.names, said.tolist(), strict=True):
        assert value == pytest.approx(0.5 if name.endswith("_gap") else 0.9, abs=0.06)


def test_masks_are_picked_with_their_tokens_side_by_side():
    iou_token = np.arange(3 * 2 * 2, dtype=np.float32).reshape(3, 2, 2)
    mask_tokens = 100 + np.arange(3 * 2 * 4 * 2, dtype=np.float32).reshape(3, 2, 4, 2)
    targets = np.arange(3 * 2 * 4, dtype=np.float32).reshape(3, 2, 4, 1)
    picked = pick_masks(iou_token, mask_tokens, targets, np.array([False, True, True]))
    assert picked.pairs.shape == (2 * 2 * 4, 4)
    # Question 2, member 1, token 3.
    assert picked.pairs[-1].tolist() == [10, 11, 146, 147]
    assert picked.targets[-1].tolist() == [23]
