import math

import pytest
import torch

from suresam.training.forward import Decoded
from suresam.training.losses import (
    answer_loss,
    contrastive_loss,
    iou_loss,
    mask_iou,
    mask_loss,
)
from suresam.training.recipe import JointStage


def test_a_certain_right_mask_costs_nothing_and_a_wrong_one_much():
    truth = torch.zeros(1, 4, 4)
    truth[:, :2] = 1
    logits = torch.stack([40 * truth - 20, 20 - 40 * truth], dim=1)
    right, wrong = mask_loss(logits, truth, plain_share=0.0)[0].tolist()
    assert right == pytest.approx(0, abs=1e-6)
    assert wrong > 20


def test_balanced_cross_entropy_weighs_a_small_target_like_its_surroundings():
    truth = torch.zeros(1, 4, 4)
    truth[0, 0, 0] = 1
    logits = torch.zeros(1, 1, 4, 4)
    # Dice at probability one half: 1 - (2 * 0.5 + 1) / (8 + 1 + 1).
    assert mask_loss(logits, truth, 0.0).item() == pytest.approx(math.log(2) + 0.8)
    missed = logits.clone()
    missed[0, 0, 0, 0] = -4
    plain = mask_loss(missed, truth, 1.0) - mask_loss(logits, truth, 1.0)
    balanced = mask_loss(missed, truth, 0.0) - mask_loss(logits, truth, 0.0)
    assert balanced.item() > 4 * plain.item()


def test_iou_counts_cut_pixels():
    truth = torch.tensor([[[1.0, 0.6], [0.4, 0.0]]])
    logits = torch.tensor([[[[1.0, -1.0], [1.0, -1.0]]]])
    assert mask_iou(logits, truth).item() == pytest.approx(1 / 3)
    assert mask_iou(-torch.ones(1, 1, 2, 2), torch.zeros(1, 2, 2)).item() == 0


def test_iou_loss_is_least_at_the_true_iou():
    true = torch.tensor([[0.7]])
    at = {p: iou_loss(torch.tensor([[p]]), true).item() for p in (0.0, 0.6, 0.7, 0.8, 1.0)}
    assert min(at, key=lambda p: at[p]) == 0.7
    assert all(math.isfinite(value) for value in at.values())


def test_contrast_separates_objects_and_leaves_parts_of_one_object_alone():
    # Left half object 0 (leaves 0 and 1), right half object 1 (leaf 2).
    leaves = torch.zeros(1, 16, 16, dtype=torch.int64)
    leaves[:, 8:, :8] = 1
    leaves[:, :, 8:] = 2
    owner = torch.zeros(1, 256, dtype=torch.int64)
    owner[0, 2] = 1
    side = (leaves[:, ::4, ::4] == 2).float()
    lower = (leaves[:, ::4, ::4] == 1).float()
    apart = torch.stack([1 - 2 * side, torch.zeros_like(side)], dim=1)
    merged = torch.ones(1, 2, 4, 4)
    parts = torch.stack([(1 - 2 * side) * (1 - lower), lower], dim=1)

    def loss(features: torch.Tensor) -> float:
        generator = torch.Generator().manual_seed(0)
        return contrastive_loss(features, leaves, owner, 16, generator).item()

    assert loss(apart) < 0.01
    assert loss(merged) > 7
    assert loss(parts) < 0.7


def test_unlabelled_pixels_are_pushed_from_objects_but_not_pulled_together():
    leaves = torch.zeros(1, 16, 16, dtype=torch.int64)
    leaves[:, 8:] = 1
    owner = torch.zeros(1, 256, dtype=torch.int64)
    owner[0, 1] = 3
    features = torch.zeros(1, 2, 4, 4)
    features[:, 0, 2:] = 1  # the object's pixels are alike; the rest is two opposite things
    features[:, 1, :2, :2], features[:, 1, :2, 2:] = 1, -1

    def loss(first_owner: int) -> float:
        owner[0, 0] = first_owner
        generator = torch.Generator().manual_seed(0)
        return contrastive_loss(features, leaves, owner, 16, generator).item()

    assert loss(-1) < loss(0)


def _answer(best: int) -> Decoded:
    """Four tokens of which one has the target's mask and knows it, the others say the reverse."""
    sign = torch.full((1, 4, 4, 4), -1.0)
    sign[:, best] = 1
    mask = torch.full((4, 4), -8.0)
    mask[:2] = 8
    iou = torch.full((1, 4), 0.01)
    iou[:, best] = 0.99
    return Decoded(sign * mask, iou)


def test_an_ambiguous_click_may_be_answered_by_any_candidate_and_a_sure_prompt_by_token_0():
    truth = torch.zeros(1, 4, 4)
    truth[:, :2] = 1
    cost = {
        (best, is_ambiguous): answer_loss(
            _answer(best), truth, JointStage(), 0.0, is_ambiguous=is_ambiguous
        )[0].item()
        for best in (0, 1, 3)
        for is_ambiguous in (True, False)
    }
    assert cost[1, True] == pytest.approx(cost[3, True])
    assert cost[1, True] < cost[0, True]
    assert cost[0, False] < cost[1, False]
