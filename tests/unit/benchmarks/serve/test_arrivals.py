import numpy as np
import pytest

from suresam.benchmarks.serve.arrivals import arrival_times


def arrivals(rate: float, end: float, burstiness: float = 1.0, seed: int = 0, start: float = 0.0):
    return arrival_times(rate, start, end, burstiness, np.random.default_rng(seed))


def test_times_are_fixed_by_the_seed():
    np.testing.assert_array_equal(arrivals(5, 100), arrivals(5, 100))
    assert len(set(arrivals(5, 100)) & set(arrivals(5, 100, seed=1))) == 0


def test_times_ascend_and_stay_within_their_bounds():
    times = arrivals(20, 30, start=-10)
    assert times[0] >= -10
    assert times[-1] < 30
    assert (np.diff(times) > 0).all()


@pytest.mark.parametrize("burstiness", [0.5, 1.0, 3.0])
def test_rate_and_burstiness_are_what_was_asked_for(burstiness: float):
    gaps = np.diff(arrivals(10, 5000, burstiness))
    assert gaps.mean() == pytest.approx(0.1, rel=0.06)
    assert gaps.std() / gaps.mean() == pytest.approx(burstiness, rel=0.06)


def test_nobody_comes_at_rate_zero_or_in_no_time():
    assert len(arrivals(0, 100)) == 0
    assert len(arrivals(10, 0)) == 0
