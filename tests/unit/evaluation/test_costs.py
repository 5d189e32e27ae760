import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from suresam.evaluation.costs import _gflops


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_attention_is_counted_on_the_processor_too(mode):
    query, key = torch.randn(2, 3, 10, 8), torch.randn(2, 3, 20, 8)
    with mode():
        counted = _gflops(lambda: scaled_dot_product_attention(query, key, key))
    # Two products, each of 10 x 20 x 8 multiplications and additions, for 2 x 3 heads.
    assert counted == pytest.approx(2 * 2 * (2 * 3) * (10 * 20 * 8) / 1e9)


def test_matrix_products_are_counted_once():
    one, other = torch.randn(4, 5), torch.randn(5, 6)
    assert _gflops(lambda: one @ other) == pytest.approx(2 * 4 * 5 * 6 / 1e9)
