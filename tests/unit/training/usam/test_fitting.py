"""Heads learn what tokens say, alone and together, and the same from the same seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from heads import info_of

from suresam.errors import ConfigurationError
from suresam.training.usam.fitting import (
    FitOptions,
    Masks,
    fit_heads,
    mean_squared_error,
    pick_masks,
)

INFO = info_of()
OPTIONS = FitOptions(hidden=16, epochs=40, batch=64, learning_rate=1e-2, seed=1)


def masks(count: int = 600) -> Masks:
    """Mask tokens whose first value says every target."""
    generator = torch.Generator().manual_seed(0)
    iou_token = torch.randn(count // 4, 3, generator=generator)
    mask_tokens = torch.randn(count // 4, 4, 3, generator=generator)
    shifts = torch.tensor([0.5 if name.endswith("_gap") else 0.0 for name in INFO.names])
    targets = mask_tokens[..., :1].sigmoid() - shifts
    return Masks(iou_token, mask_tokens, targets)


def every_pair(of: Masks) -> torch.Tensor:
    return of.pairs(torch.arange(len(of)))


def test_heads_learn_and_each_step_is_told():
    told = []
    heads = fit_heads(INFO, masks(), OPTIONS, lambda epoch, loss: told.append((epoch, loss)))
    assert [epoch for epoch, _ in told] == list(range(1, 41))
    assert told[-1][1] < 0.1 * told[0][1]
    said = heads.score(masks().iou_token, masks().mask_tokens)
    error = (said - masks().targets).abs().mean()
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
    holes[:75, :, 4] = torch.nan
    holes[..., 5] = torch.nan
    heads = fit_heads(INFO, replace(known, targets=holes), OPTIONS)
    said = heads.score(known.iou_token, known.mask_tokens)
    assert said.isfinite().all()
    assert (said[..., 4] - known.targets[..., 4]).abs().mean() < 0.05


def test_gaps_beyond_one_half_are_clipped():
    far = masks()
    heads = fit_heads(INFO, replace(far, targets=torch.full_like(far.targets, 0.9)), OPTIONS)
    said = heads.score_pairs(every_pair(far)).mean(0)
    for name, value in zip(INFO.names, said.tolist(), strict=True):
        assert value == pytest.approx(0.5 if name.endswith("_gap") else 0.9, abs=0.06)


def test_masks_are_picked_with_their_tokens_side_by_side():
    iou_token = np.arange(3 * 2 * 2, dtype=np.float32).reshape(3, 2, 2)
    mask_tokens = 100 + np.arange(3 * 2 * 4 * 2, dtype=np.float32).reshape(3, 2, 4, 2)
    targets = np.arange(3 * 2 * 4, dtype=np.float32).reshape(3, 2, 4, 1)
    tokens = torch.from_numpy(iou_token), torch.from_numpy(mask_tokens)
    picked = pick_masks(*tokens, targets, np.array([False, True, True]))
    assert len(picked) == 2 * 2 * 4
    # Question 2, member 1, token 3.
    last = torch.tensor([15])
    assert picked.pairs(last).tolist() == [[10, 11, 146, 147]]
    assert picked.wanted(last).tolist() == [[23]]


@pytest.mark.parametrize("tokens", ["iou", "mask"])
def test_heads_of_one_token_learn_from_it_alone(tokens):
    """Each token says every target here, so heads of either one learn."""
    known = masks()
    said_twice = Masks(known.mask_tokens[:, 0], known.mask_tokens[:, :1], known.targets[:, :1])
    info = info_of(tokens=tokens)
    heads = fit_heads(info, said_twice, replace(OPTIONS, epochs=20, batch=16))
    iou_token, mask_tokens = said_twice.iou_token, said_twice.mask_tokens
    said = heads.score(iou_token, mask_tokens)
    assert (said - said_twice.targets).abs().mean() < 0.06
    if tokens == "iou":
        other, same = (iou_token + 1, mask_tokens), (iou_token, 9 - mask_tokens)
    else:
        other, same = (iou_token, mask_tokens + 1), (9 - iou_token, mask_tokens)
    assert torch.equal(heads.score(*same), said)
    assert (heads.score(*other) - said).abs().mean() > 0.02


def test_who_watches_sees_the_heads_of_every_epoch_and_can_end_it():
    seen = []

    def watch(epoch, heads):
        seen.append(mean_squared_error(heads, masks()))
        if epoch == 3:
            raise KeyError

    with pytest.raises(KeyError):
        fit_heads(INFO, masks(), OPTIONS, watch=watch)
    assert len(seen) == 3
    assert seen[2] < seen[0]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"hidden": 0}, "--hidden 0 must be at least 1"),
        ({"epochs": 0}, "--epochs 0"),
        ({"learning_rate": float("nan")}, "--learning-rate nan must be positive"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_numbers_that_cannot_be_followed_are_refused(option, message):
    with pytest.raises(ConfigurationError, match=message):
        FitOptions(**option)
