import pytest

from suresam.engine.costs import CostTable


def test_nothing_is_known_before_the_first_launch():
    assert CostTable().row_ms("decode", "m") is None


def test_the_first_launch_is_taken_as_it_is():
    costs = CostTable()
    costs.record("decode", "m", rows=4, launch_ms=20.0)
    assert costs.row_ms("decode", "m") == 5.0
    assert costs.row_ms("encode", "m") is None
    assert costs.row_ms("decode", "other") is None


def test_a_later_launch_counts_one_tenth():
    costs = CostTable()
    costs.record("encode", "m", rows=1, launch_ms=10.0)
    costs.record("encode", "m", rows=2, launch_ms=40.0)
    assert costs.row_ms("encode", "m") == pytest.approx(0.9 * 10 + 0.1 * 20)
