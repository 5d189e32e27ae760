"""When a call is tried again: pauses and limits, with a clock and a die of our own."""

import math

import pytest

from suresam import errors
from suresam.client.retry import Retries, RetryPolicy, attempt_timeout_s

POLICY = RetryPolicy(max_attempts=4, base_delay_s=1.0, max_delay_s=8.0)


def retries_of(clock, deadline_ms=None, policy=POLICY, draw=1.0):
    return Retries(policy, deadline_ms, clock=clock, draw=lambda: draw)


def test_pauses_double_up_to_the_last_attempt(clock):
    retries, error = retries_of(clock), errors.NotReady("warming up")
    assert [retries.pause_s(error) for _ in range(3)] == [1.0, 2.0, 4.0]
    with pytest.raises(errors.NotReady) as caught:
        retries.pause_s(error)
    assert caught.value is error


def test_jitter_halves_a_pause_at_most(clock):
    assert retries_of(clock, draw=0.0).pause_s(errors.NotReady()) == 0.5


def test_pauses_stop_growing_at_the_limit(clock):
    retries = retries_of(clock, policy=RetryPolicy(9, base_delay_s=1.0, max_delay_s=3.0))
    assert [retries.pause_s(errors.NotReady()) for _ in range(4)] == [1.0, 2.0, 3.0, 3.0]


def test_no_retry_comes_before_the_server_s_word(clock):
    assert retries_of(clock).pause_s(errors.Overloaded("full", retry_after_s=5.0)) == 5.0


def test_a_server_that_asks_for_longer_than_the_limit_is_not_waited_for(clock):
    with pytest.raises(errors.Overloaded):
        retries_of(clock).pause_s(errors.Overloaded("full", retry_after_s=8.5))


@pytest.mark.parametrize(
    "error",
    [errors.Overloaded(), errors.NotReady(), errors.WorkerFailed(), errors.ShuttingDown()],
    ids=lambda error: error.code,
)
def test_refusals_that_pass_are_tried_again(clock, error):
    assert retries_of(clock).pause_s(error) >= 0.5


@pytest.mark.parametrize("error", [errors.DeadlineExceeded(), errors.CapacityError()])
def test_other_failures_are_not(clock, error):
    with pytest.raises(type(error)):
        retries_of(clock).pause_s(error)


def test_one_attempt_means_no_retry(clock):
    with pytest.raises(errors.NotReady):
        retries_of(clock, policy=RetryPolicy(max_attempts=1)).pause_s(errors.NotReady())


def test_no_pause_outlasts_the_deadline(clock):
    retries = retries_of(clock, deadline_ms=3000)
    assert retries.pause_s(errors.NotReady()) == 1.0
    clock.now += 1.0
    with pytest.raises(errors.NotReady):  # 2 s of pause, 2 s left
        retries.pause_s(errors.NotReady())


def test_the_time_left_shrinks_to_a_millisecond_and_no_further(clock):
    retries = retries_of(clock, deadline_ms=2500)
    retries.pause_s(errors.NotReady())
    clock.now += 2.0
    assert retries.remaining_ms() == 500
    clock.now += 1.0
    assert retries.remaining_ms() == 1


@pytest.mark.parametrize("deadline_ms", [0.0, -5.0, math.inf])
def test_the_first_attempt_has_the_caller_s_own_deadline(clock, deadline_ms):
    retries = retries_of(clock, deadline_ms)
    clock.now += 1.0
    assert retries.remaining_ms() == deadline_ms
    assert attempt_timeout_s(deadline_ms, 60.0) == 60.0


def test_an_answer_may_arrive_a_second_after_the_deadline():
    assert attempt_timeout_s(500.0, 60.0) == 1.5
    assert attempt_timeout_s(None, 60.0) == 60.0


def test_without_a_deadline_no_time_is_counted(clock):
    assert retries_of(clock).remaining_ms() is None
