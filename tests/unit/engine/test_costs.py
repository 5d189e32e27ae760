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


def test_a_later_launch_of_the_same_size_counts_one_tenth():
    costs = CostTable()
    costs.record("encode", "m", rows=1, launch_ms=10.0)
    costs.record("encode", "m", rows=1, launch_ms=20.0)
    assert costs.row_ms("encode", "m") == pytest.approx(0.9 * 10 + 0.1 * 20)


def test_between_two_sizes_a_straight_line_and_beyond_them_the_price_of_a_row():
    costs = CostTable()
    costs.record("decode", "m", rows=2, launch_ms=10.0)
    costs.record("decode", "m", rows=4, launch_ms=14.0)
    launches = [costs.launch_ms("decode", "m", rows) for rows in (1, 2, 3, 4, 8)]
    assert launches == [5.0, 10.0, 12.0, 14.0, 28.0]


def test_a_hiccup_of_the_machine_is_no_price():
    costs = CostTable()
    costs.record("decode", "m", rows=1, launch_ms=10.0)
    costs.record("decode", "m", rows=1, launch_ms=5000.0)
    assert costs.row_ms("decode", "m") == pytest.approx(0.9 * 10 + 0.1 * 30)


def test_a_machine_that_has_become_slow_is_believed_in_the_end():
    costs = CostTable()
    for launch_ms in [10.0] + [100.0] * 60:
        costs.record("decode", "m", rows=1, launch_ms=launch_ms)
    assert costs.row_ms("decode", "m") == pytest.approx(100, rel=0.05)
