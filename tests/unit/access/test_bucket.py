import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suresam.access.bucket import TokenBucket

positive = st.floats(0.01, 1e4)
unhurried = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
steps = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=30)


def test_a_full_bucket_gives_what_it_holds_and_then_at_its_rate():
    bucket = TokenBucket(rate=2.0, capacity=3.0, level=3.0, now_s=10.0)
    for _ in range(3):
        assert bucket.wait_s(1.0, 10.0) == 0
        bucket.take(1.0, 10.0)
    assert bucket.wait_s(1.0, 10.0) == 0.5
    assert bucket.wait_s(1.0, 10.25) == 0.25
    assert bucket.wait_s(1.0, 10.5) == 0


def test_a_debt_is_paid_at_the_rate():
    bucket = TokenBucket(rate=100.0, capacity=100.0, level=100.0, now_s=0.0)
    bucket.take(350.0, 0.0)
    assert bucket.wait_s(0.0, 0.0) == 2.5
    assert bucket.wait_s(0.0, 2.5) == 0


def test_a_clock_that_goes_back_gives_nothing_twice():
    bucket = TokenBucket(rate=1.0, capacity=10.0, level=0.0, now_s=5.0)
    assert bucket.wait_s(1.0, 6.0) == 0
    bucket.take(1.0, 6.0)
    assert bucket.wait_s(1.0, 3.0) == 1
    assert bucket.wait_s(1.0, 6.0) == 1


@unhurried
@given(positive, positive, steps)
def test_nobody_gets_more_than_the_capacity_and_the_rate_allow(rate, capacity, asked):
    bucket = TokenBucket(rate, capacity, capacity, 0.0)
    now_s = taken = 0.0
    for pause_s, tokens in asked:
        now_s += pause_s
        tokens = min(tokens, capacity)
        if bucket.wait_s(tokens, now_s) == 0:
            bucket.take(tokens, now_s)
            taken += tokens
        assert bucket.level <= capacity
    assert taken <= (capacity + rate * now_s) * (1 + 1e-6) + 1e-6


@unhurried
@given(positive, positive, st.floats(0, 1e5), st.floats(0, 1))
def test_whoever_waits_as_long_as_was_said_is_let_in_and_nobody_much_sooner(
    rate, capacity, spent, share
):
    bucket = TokenBucket(rate, capacity, capacity, 0.0)
    bucket.take(spent, 0.0)
    tokens = share * capacity
    wait_s = bucket.wait_s(tokens, 0.0)
    assert wait_s == pytest.approx(max(0.0, spent + tokens - capacity) / rate, abs=1e-6)
    if wait_s > 1e-3:
        assert bucket.wait_s(tokens, wait_s * 0.99) > 0
    assert bucket.wait_s(tokens, wait_s * (1 + 1e-9) + 1e-9) < 1e-6
