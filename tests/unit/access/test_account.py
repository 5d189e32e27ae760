import pytest

from suresam.access.account import Account
from suresam.access.limits import KeyLimits
from suresam.errors import RateLimited
from suresam.telemetry import Telemetry


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture
def account(clock, telemetry):
    return lambda **limits: Account(KeyLimits(**limits), telemetry, clock)


def ask(account):
    with account.request():
        pass


def refused(account):
    with pytest.raises(RateLimited) as caught, account.request():
        pytest.fail("it was let in")
    return caught.value


def test_without_limits_nobody_is_refused(account):
    unlimited = account()
    for _ in range(1000):
        ask(unlimited)
    unlimited.charge(1e9)
    ask(unlimited)


def test_one_request_too_many_is_told_when_to_come_back(account, clock, telemetry):
    limited = account(requests_per_s=2.0)
    ask(limited)
    ask(limited)
    error = refused(limited)
    assert error.retry_after_s == 0.5
    assert error.message == "too many requests (limit 2 a second for this key); again in 0.5 s"
    reason = {"reason": "requests_per_s"}
    assert telemetry.registry.get_sample_value("suresam_rejected_total", reason) == 1
    clock.now += 0.5
    ask(limited)


def test_a_slow_rate_still_lets_one_in(account, clock):
    slow = account(requests_per_s=0.1)
    ask(slow)
    assert refused(slow).retry_after_s == pytest.approx(10)


def test_a_burst_is_let_in_at_once(account):
    limited = account(requests_per_s=1.0, burst=5)
    for _ in range(5):
        ask(limited)
    assert refused(limited).retry_after_s == 1


def test_requests_at_a_time_are_counted_until_they_end(account, clock):
    limited = account(concurrent=2)
    with limited.request(), limited.request():
        error = refused(limited)
        assert "2 requests are in progress (limit 2 for this key)" in error.message
        assert error.retry_after_s == 0.5  # a request is thought to take 1 s, and there are two
    with limited.request(), limited.request():
        pass


def test_a_place_is_given_back_by_a_request_that_fails(account):
    limited = account(concurrent=1)
    with pytest.raises(ZeroDivisionError), limited.request():
        raise ZeroDivisionError
    ask(limited)


def test_when_a_place_becomes_free_follows_from_how_long_requests_take(account, clock):
    limited = account(concurrent=1)
    for _ in range(50):
        with limited.request():
            clock.now += 0.04
    with limited.request():
        assert refused(limited).retry_after_s == pytest.approx(0.04, rel=0.01)


def test_device_time_is_charged_afterwards_and_has_to_be_paid(account, clock):
    limited = account(device_ms_per_s=100.0)
    ask(limited)
    limited.charge(350.0)
    error = refused(limited)
    assert error.retry_after_s == 2.5
    assert "250 ms of device time are owed (limit 100 ms a second" in error.message
    clock.now += 2.5
    ask(limited)


def test_a_refused_request_takes_nothing(account, clock):
    limited = account(requests_per_s=1.0, device_ms_per_s=100.0)
    limited.charge(200.0)
    for _ in range(10):
        refused(limited)
    clock.now += 1.0
    ask(limited)


def test_of_several_reasons_the_one_that_lasts_longest_is_told(account):
    limited = account(requests_per_s=1.0, device_ms_per_s=100.0)
    ask(limited)
    limited.charge(600.0)
    assert refused(limited).retry_after_s == 5


def test_prompts_of_a_stream_count_as_requests_and_need_no_place(account):
    limited = account(requests_per_s=3.0, concurrent=1)
    with limited.request():
        limited.prompt()
        limited.prompt()
        with pytest.raises(RateLimited, match="too many requests"):
            limited.prompt()


def test_other_limits_keep_what_is_in_progress_and_owed(account, clock):
    changing = account(concurrent=1, device_ms_per_s=100.0)
    with changing.request():
        changing.charge(300.0)
        changing.change(KeyLimits(concurrent=1, device_ms_per_s=50.0))
        assert refused(changing).retry_after_s == 4
        changing.change(KeyLimits(concurrent=1))
        assert "in progress" in refused(changing).message
        changing.change(KeyLimits())
        ask(changing)
