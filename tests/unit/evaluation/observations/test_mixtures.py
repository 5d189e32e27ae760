"""Mixed entropies against means taken by hand."""

import numpy as np
import pytest
import torch
from evaluation_fakes import MEMBERS, PICTURE
from torch.nn.functional import interpolate

from suresam.domain import Point, Prompt
from suresam.evaluation.observations.mixtures import BEST, TOP, mixed_entropies
from suresam.evaluation.overlap import intersection_over_union
from suresam.uncertainty.entropy import probability_entropy

CLICKS = [Point(17, 17), Point(9, 22), Point(25, 8)]
TRUTH = PICTURE.targets[0].truth
IMAGES = [member.embed(PICTURE.image) for member in MEMBERS]


@pytest.fixture(scope="module")
def mixed():
    return mixed_entropies(MEMBERS, IMAGES, CLICKS, TRUTH)


def answers(member: int):
    """Of each click: probabilities (3, 32, 32), weights (3,), the top and the best mask."""
    prompts = [Prompt(points=(click,)) for click in CLICKS]
    for answer in MEMBERS[member].ask(IMAGES[member], prompts, multimask=True):
        logits = torch.from_numpy(answer.low_res_logits.astype(np.float32))
        maps = interpolate(logits.sigmoid()[None], (32, 32), mode="bilinear")[0]
        scores = np.array(answer.predicted_iou)
        ious = [intersection_over_union(answer.mask(k), TRUTH) for k in range(3)]
        yield maps, torch.from_numpy(scores / scores.sum()).float(), (answer.best, np.argmax(ious))


def entropy(maps: torch.Tensor) -> float:
    return pytest.approx(probability_entropy(maps).item(), abs=2e-3)  # float16 logits


def test_masks_are_mixed_by_their_predicted_iou(mixed):
    for member in range(2):
        maps, weights, _ = next(iter(answers(member)))
        assert mixed["h_task"][member] == entropy((maps * weights[:, None, None]).sum(0))


@pytest.mark.parametrize("kind", [TOP, BEST])
def test_one_mask_of_every_click_or_of_every_member(mixed, kind):
    assert mixed["h_prompt"].shape == (2, 2)
    for member in range(2):
        chosen = [maps[picked[kind]] for maps, _, picked in answers(member)]
        assert mixed["h_prompt"][member, kind] == entropy(torch.stack(chosen).mean(0))
    firsts = [next(iter(answers(member))) for member in range(2)]
    of_members = torch.stack([maps[picked[kind]] for maps, _, picked in firsts])
    assert mixed["h_model"][kind] == entropy(of_members.mean(0))


def test_everything_mixed(mixed):
    each = [
        (maps * weights[:, None, None]).sum(0)
        for member in range(2)
        for maps, weights, _ in answers(member)
    ]
    assert mixed["h_all"] == entropy(torch.stack(each).mean(0))
