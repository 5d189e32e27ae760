from types import SimpleNamespace

import pytest
import torch

from suresam.training import corrections
from suresam.training.corrections import coarse_mask, correct, scattered_clicks
from suresam.training.forward import Decoded
from suresam.training.recipe import JointStage


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


def test_scattered_clicks_lie_in_their_targets_or_out_of_them_as_their_labels_say():
    truth = torch.zeros(3, 32, 32)
    truth[0, 4:20, 4:20] = 1
    truth[1, 8:30, 2:9] = 1
    truth[2, 16, 16] = 1
    sizes, has_outside = set(), 0
    for seed in range(60):
        points, labels = scattered_clicks(truth, torch.Generator().manual_seed(seed))
        assert points.shape == (3, labels.shape[1], 2)
        column, row = ((points - 1.5) / 4).long().unbind(2)
        is_inside = truth[torch.arange(3)[:, None], row, column] > 0.5
        assert torch.equal(is_inside, labels == 1)
        assert (labels == 1).any(1).all()
        sizes.add(labels.shape[1])
        has_outside += bool((labels == 0).any())
    assert sizes == set(range(2, 9))
    assert 8 <= has_outside <= 32


@pytest.mark.parametrize(
    ("stage", "num_points", "has_mask"),
    [
        (JointStage(coarse_masks=1.0), {1}, True),
        (JointStage(coarse_masks=0.0, scattered_clicks=1.0), set(range(2, 9)), False),
    ],
)
def test_the_first_round_is_what_the_recipe_says(monkeypatch, stage, num_points, has_mask):
    asked = []

    def decode(model, features, images, points, labels, masks, is_given):
        asked.append((points.shape[1], is_given.clone()))
        return Decoded(torch.zeros(len(points), 4, 16, 16), torch.full((len(points), 4), 0.5))

    monkeypatch.setattr(corrections, "decode", decode)
    truth = torch.zeros(1, 4, 16, 16)
    truth[..., 4:12, 4:12] = 1
    batch = SimpleNamespace(clicks=torch.full((1, 4, 2), 32.0), click_truth=truth)
    clicks = Decoded(torch.zeros(4, 4, 16, 16), torch.full((4, 4), 0.5))
    for seed in range(6):
        asked.clear()
        correct(None, None, batch, clicks, stage, 0.0, torch.Generator().manual_seed(seed))
        first, *later = asked
        assert first[0] in num_points
        assert first[1].all() == has_mask
        assert first[1].any() == has_mask
        assert [count for count, _ in later] == [first[0] + i + 1 for i in range(len(later))]
