import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suresam.routing.budget import ShareBudget


def passed(share, gains, wanted=None):
    budget = ShareBudget(share)
    wanted = [True] * len(gains) if wanted is None else wanted
    return np.array([budget.passes(g, w) for g, w in zip(gains, wanted, strict=True)])


def drifting(pattern, count=1500):
    gains = np.random.default_rng(1).gamma(1.0, 0.03, count)
    time = np.arange(count)
    return (
        gains
        + {
            "still": 0,
            "step up": 0.1 * (time >= count // 2),
            "step down": 0.1 * (time < count // 2),
            "ramp up": 0.3 * time / count,
            "ramp down": 0.3 * (1 - time / count),
            "bursts": 0.2 * (time % 200 < 40),
            "equal": 0.05 - gains,
        }[pattern]
    )


PATTERNS = ["still", "step up", "step down", "ramp up", "ramp down", "bursts", "equal"]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.8])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_share_is_kept_within_two_points_over_any_500_requests(pattern, share):
    sums = np.r_[0, np.cumsum(passed(share, drifting(pattern)))]
    shares = (sums[500:] - sums[:-500]) / 500
    assert np.abs(shares - share).max() <= 0.02


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_does_not_swing(pattern):
    """Over 50 requests, too, there is neither a flood nor a drought."""
    sums = np.r_[0, np.cumsum(passed(0.3, drifting(pattern)))]
    assert np.abs((sums[50:] - sums[:-50]) - 15).max() <= 16


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_requests_that_gain_most_get_it(share):
    gains = drifting("still")
    spent = passed(share, gains)
    best = np.sort(gains)[::-1][: spent.sum()]
    assert gains[spent].sum() > 0.9 * best.sum()


def test_after_a_drought_there_is_no_flood():
    gains = np.full(600, 0.1)
    wanted = np.arange(600) >= 500
    assert passed(0.2, gains, wanted)[:500].sum() == 0
    assert passed(0.2, gains, wanted)[500:].sum() <= 0.2 * 100 + 16


@given(
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(-1, 1), st.booleans()), max_size=400),
)
@settings(max_examples=100, deadline=None)
def test_it_is_never_more_than_eight_requests_over_its_share(share, requests):
    gains = [gain for gain, _ in requests]
    wanted = [is_wanted for _, is_wanted in requests]
    spent = passed(share, gains, wanted)
    assert not spent[~np.array(wanted, bool)].any() if requests else True
    seen = np.arange(1, len(requests) + 1)
    assert (np.cumsum(spent) <= share * seen + 8 + 1e-6).all()


def test_all_and_nothing():
    assert passed(1.0, [0.0, -1.0, 5.0]).all()
    assert not passed(0.0, [1.0] * 100).any()


def test_what_must_go_to_a_larger_member_goes_first():
    gains = [0.1] * 50 + [float("inf")]
    assert passed(0.2, gains)[-1]
