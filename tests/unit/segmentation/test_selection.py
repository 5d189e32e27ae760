import pytest
import torch

from suresam.segmentation.selection import single_mask_tokens, stability


def maps(inner, border, size=10):
    """Four equal maps of `inner` pixels well inside, `border` on the cut, the rest outside."""
    flat = torch.full((size * size,), -5.0)
    flat[:inner] = 5.0
    flat[inner : inner + border] = 0.0
    return flat.view(1, 1, size, size).repeat(1, 4, 1, 1)


IOUS = torch.tensor([[0.9, 0.2, 0.7, 0.3]])
OPEN, SETTLED = torch.tensor([False]), torch.tensor([True])


@pytest.mark.parametrize(
    ("inner", "border", "expected"),
    [(100, 0, 1.0), (49, 1, 0.98), (48, 2, 0.96), (0, 1, 0.0), (0, 0, 1.0), (1, 0, 1.0)],
)
def test_stability_is_the_share_that_stays(inner, border, expected):
    scores = stability(maps(inner, border), delta=0.05)
    assert scores.shape == (1, 4)
    assert scores.dtype == torch.float32
    assert scores[0].tolist() == pytest.approx([expected] * 4)


def test_a_logit_exactly_at_the_moved_cut_is_outside_of_it():
    at_delta = torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
    # Above 1: one pixel. Above -1: two.
    assert stability(at_delta, delta=1.0).item() == 0.5


@pytest.mark.parametrize(
    ("inner", "border", "token"),
    [
        pytest.param(50, 0, 0, id="stable"),
        pytest.param(49, 1, 0, id="exactly at the threshold"),
        pytest.param(97, 2, 2, id="just under the threshold"),
        pytest.param(0, 50, 2, id="unstable"),
        pytest.param(0, 0, 0, id="empty"),
    ],
)
def test_token_0_where_it_is_stable_else_the_best_candidate(inner, border, token):
    chosen = single_mask_tokens(maps(inner, border), IOUS, OPEN)
    assert chosen.dtype == torch.int64
    assert chosen.tolist() == [token]


@pytest.mark.parametrize("best", [1, 2, 3])
def test_token_0_is_no_candidate_for_itself(best):
    ious = torch.tensor([[1.0, 0.1, 0.1, 0.1]])
    ious[0, best] = 0.2
    assert single_mask_tokens(maps(0, 1), ious, OPEN).tolist() == [best]


def test_each_row_is_decided_by_itself():
    logits = torch.cat([maps(0, 50), maps(50, 0), maps(0, 50)])
    ious = torch.tensor([[0.0, 1.0, 0.5, 0.0], [0.0, 1.0, 0.5, 0.0], [0.0, 0.1, 0.5, 0.9]])
    assert single_mask_tokens(logits, ious, OPEN.expand(3)).tolist() == [1, 0, 3]
    settled = torch.tensor([False, False, True])
    assert single_mask_tokens(logits, ious, settled).tolist() == [1, 0, 0]


@pytest.mark.parametrize(("inner", "border"), [(50, 0), (0, 50)])
def test_token_0_whatever_its_mask_where_the_prompt_leaves_no_choice(inner, border):
    assert single_mask_tokens(maps(inner, border), IOUS, SETTLED).tolist() == [0]


def test_no_rows_give_no_tokens():
    assert single_mask_tokens(torch.empty(0, 4, 8, 8), torch.empty(0, 4), OPEN[:0]).tolist() == []
