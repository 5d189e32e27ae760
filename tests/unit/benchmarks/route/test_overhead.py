import pytest

from suresam.benchmarks.route.overhead import Overhead, overhead_rows

STEADY = Overhead("REST", "all uncertainty", (10.0, 20.0, 30.0), (10.5, 20.5, 30.5))


def test_what_is_added_is_the_median_of_pairs_and_not_the_difference_of_medians():
    uneven = Overhead("gRPC", "entropy alone", (10.0, 20.0, 30.0), (31.0, 11.0, 21.0))
    assert uneven.added_ms == pytest.approx(-9.0)
    assert STEADY.added_ms == pytest.approx(0.5)
    assert STEADY.interval_ms() == pytest.approx((0.5, 0.5))


def test_a_row_tells_both_modes():
    assert overhead_rows([STEADY])[1] == (
        "REST", "all uncertainty", "20.00", "20.50", "+0.50", "[+0.50, +0.50]",
    )  # fmt: skip
