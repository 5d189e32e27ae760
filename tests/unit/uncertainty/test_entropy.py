import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from suresam.uncertainty.entropy import binary_entropy, mask_entropy


def test_even_odds_are_one_bit():
    assert binary_entropy(torch.zeros(1)).item() == pytest.approx(1.0)


def test_entropy_is_symmetric():
    up, down = binary_entropy(torch.tensor([3.0, -3.0])).tolist()
    # p = 0.952574: -p log2 p - (1 - p) log2 (1 - p)
    assert up == down == pytest.approx(0.27536, abs=1e-5)


@pytest.mark.parametrize("logit", [20.0, -20.0, 100.0, 1000.0, -1000.0, 3e38])
def test_certain_pixels_are_near_zero_and_finite(logit):
    assert 0 <= binary_entropy(torch.tensor([logit])).item() < 1e-6


def test_precision_is_kept_where_the_sigmoid_has_rounded_to_one():
    # For large z the entropy is about (1 + z) exp(-z) / ln 2.
    expected = 51 * np.exp(-50.0) / np.log(2)
    assert binary_entropy(torch.tensor([50.0])).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_entropy_is_float32_of_the_shape_given(dtype):
    entropy = binary_entropy(torch.ones(2, 3, 4, dtype=dtype))
    assert entropy.dtype == torch.float32
    assert entropy.shape == (2, 3, 4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_non_finite_logits_give_nan(bad):
    assert binary_entropy(torch.tensor([bad, 0.0])).isnan().tolist() == [True, False]


def direct(logits):
    """sum(p h(p)) / sum(p) in float64, as the paper writes it."""
    z = np.clip(logits.astype(np.float64), -32, 32)
    p = np.clip(1 / (1 + np.exp(-z)), 1e-6, 1 - 1e-6)
    h = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return (p * h).sum((-2, -1)) / p.sum((-2, -1))


@given(arrays.arrays(np.float32, (2, 5, 7), elements=st.floats(-60, 60, width=32)))
def test_mask_entropy_is_the_direct_evaluation(logits):
    entropy = mask_entropy(torch.from_numpy(logits))
    assert entropy.shape == (2,)
    np.testing.assert_allclose(entropy.numpy(), direct(logits), atol=2e-6)
    assert ((entropy >= 0) & (entropy <= 1 + 1e-6)).all()


@pytest.mark.parametrize("logit", [1000.0, -1000.0, 32.0, -32.0])
def test_mask_entropy_of_certain_masks_is_the_clipped_pixel(logit):
    # h(1e-6) = 2.137e-5 bits, whichever side is certain.
    entropy = mask_entropy(torch.full((1, 4, 4), logit)).item()
    assert entropy == pytest.approx(2.137e-5, rel=0.05)


def test_foreground_counts_more_than_background():
    # Even odds (p 0.5, one bit) beside certain foreground (p 1): 0.5 / 1.5.
    assert mask_entropy(torch.tensor([[0.0, 32.0]])).item() == pytest.approx(1 / 3, abs=1e-4)
    # Beside certain background it is all that counts.
    assert mask_entropy(torch.tensor([[0.0, -32.0]])).item() == pytest.approx(1, abs=1e-4)


def test_nan_passes_to_its_own_mask_alone():
    logits = torch.zeros(2, 3, 3)
    logits[0, 1, 1] = float("nan")
    assert mask_entropy(logits).isnan().tolist() == [True, False]
