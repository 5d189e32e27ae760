import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suresam.routing.budget import Budget, BudgetTerms, Claim


def passed(share, gains, wanted=None, unit="requests", prices=None, spent=None):
    budget = Budget(BudgetTerms(share, unit))
    count = len(gains)
    wanted = [True] * count if wanted is None else wanted
    prices, spent = ([1.0] * count if them is None else them for them in (prices, spent))
    passes = []
    for gain, is_wanted, price, cost in zip(gains, wanted, prices, spent, strict=True):
        claim = Claim(float(gain), float(price), float(cost))
        passes.append(bool(is_wanted and budget.admits(claim)))
        budget.count(claim, passes[-1])
    return np.array(passes, bool)


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


def in_windows(values):
    """Sums over any 500 requests that follow each other."""
    sums = np.r_[0, np.cumsum(values)]
    return sums[500:] - sums[:-500]


def costs(kind, count=1500):
    """Device milliseconds of the smaller and of a larger member, request by request."""
    dice = np.random.default_rng(2)
    new = {
        "uploads": np.ones(count),
        "sessions": dice.random(count) < 0.3,
        "step": dice.random(count) < np.where(np.arange(count) < count // 2, 0.1, 0.6),
    }[kind]
    return np.where(new, 40.0, 4.0), np.where(new, 80.0, 8.0) * dice.uniform(0.9, 1.1, count)


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("kind", ["uploads", "sessions", "step"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_of_the_devices_time_the_share_is_kept_within_two_points(pattern, kind, share):
    spent, prices = costs(kind)
    gains = drifting(pattern)
    given = passed(share, gains, unit="device_time", prices=prices, spent=spent)
    large_ms, small_ms = in_windows(prices * given), in_windows(spent)
    assert np.abs(large_ms / (large_ms + small_ms) - share).max() <= 0.02


def test_device_time_goes_to_those_that_gain_most_for_it():
    gains, (spent, prices) = drifting("still"), costs("sessions")
    given = passed(0.2, gains, unit="device_time", prices=prices, spent=spent)
    best_first = np.argsort(-gains / prices)
    affordable = np.cumsum(prices[best_first]) <= prices[given].sum()
    assert gains[given].sum() > 0.85 * gains[best_first][affordable].sum()
    by_gain = np.argsort(-gains)
    affordable = np.cumsum(prices[by_gain]) <= prices[given].sum()
    assert gains[given].sum() > 1.2 * gains[by_gain][affordable].sum()


@pytest.mark.parametrize("really", [0.25, 2.0])
def test_what_counts_is_the_time_that_was_taken_and_not_the_price(really):
    budget, gains = Budget(BudgetTerms(0.2, "device_time")), drifting("still")
    taken_ms = 0.0
    for gain in gains:
        claim = Claim(float(gain), price_ms=20.0, spent_ms=10.0)
        is_escalated = budget.admits(claim)
        budget.count(claim, is_escalated)
        if is_escalated:
            budget.settle(claim.price_ms, really * claim.price_ms)
            taken_ms += really * claim.price_ms
    assert taken_ms / (taken_ms + 10.0 * len(gains)) == pytest.approx(0.2, abs=0.02)


def test_one_that_costs_more_than_all_else_still_has_its_turn():
    given = passed(0.2, [0.1] * 2000, unit="device_time", prices=[400.0] * 2000, spent=[1.0] * 2000)
    assert 400 * given.sum() / (400 * given.sum() + 2000) == pytest.approx(0.2, abs=0.15)
    assert given.sum() > 0


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


@given(
    st.floats(0.01, 0.99),
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 9), st.floats(0, 5)), max_size=400),
)
@settings(max_examples=40, deadline=None)
def test_it_is_never_over_its_time_by_more_than_one_escalation_or_eight_requests(share, requests):
    gains, prices, spent = np.array(requests).reshape(-1, 3).T
    given = passed(share, gains, unit="device_time", prices=prices, spent=spent)
    over_ms = np.cumsum(prices * given) - share / (1 - share) * np.cumsum(spent)
    most_ms = max([0.0, *prices], default=0.0) + 8 * max([0.0, *spent])
    assert (over_ms <= most_ms + 1e-6).all()


@pytest.mark.parametrize("unit", ["requests", "device_time"])
def test_all_and_nothing(unit):
    assert passed(1.0, [0.0, -1.0, 5.0], unit=unit).all()
    assert not passed(0.0, [1.0] * 100, unit=unit).any()


def test_what_must_go_to_a_larger_member_goes_first():
    gains = [0.1] * 50 + [float("inf")]
    assert passed(0.2, gains)[-1]
