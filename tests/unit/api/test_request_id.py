import re

import pytest

from suresam.api.request_id import request_id_of


@pytest.mark.parametrize("proposed", ["a", "A-1_b.c:d/e", "x" * 128])
def test_a_harmless_id_is_kept(proposed):
    assert request_id_of(proposed) == proposed


@pytest.mark.parametrize("proposed", [None, "", "x" * 129, "a b", "a\n", "a\r\nb", "é", '"', "%0a"])
def test_any_other_is_replaced(proposed):
    made = request_id_of(proposed)
    assert re.fullmatch("[0-9a-f]{24}", made)
    assert made != request_id_of(proposed)
