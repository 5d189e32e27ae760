import math

import pytest

from suresam.engine.pace import Pace


def pace_with(*, busy_at, inside, per_s, seconds=8.0):
    """So many are inside all the time, and as many come as leave."""
    pace, now = Pace(busy_at), 0.0
    for _ in range(inside):
        pace.enter(now)
    for number in range(round(per_s * seconds)):
        now = (number + 1) / per_s
        pace.enter(now)
        pace.leave(now)
    return pace, now


@pytest.mark.parametrize(("inside", "per_s"), [(4, 100), (40, 100), (40, 1000)])
def test_a_newcomer_stays_as_long_as_those_inside_take_to_leave(inside, per_s):
    pace, now = pace_with(busy_at=4, inside=inside, per_s=per_s)
    assert pace.stay_ms(now) == pytest.approx(inside / per_s * 1000, rel=0.05)


def test_nothing_is_said_before_many_were_inside():
    pace, now = pace_with(busy_at=4, inside=2, per_s=10)
    assert pace.stay_ms(now) == 0
    # A crowd comes at once: the few who came one by one say nothing of how fast it will be served.
    for _ in range(20):
        pace.enter(now)
    assert pace.stay_ms(now) == 0


def test_nothing_is_said_when_few_are_inside_again():
    pace, now = pace_with(busy_at=4, inside=4, per_s=10)
    pace.leave(now)
    assert pace.stay_ms(now) == 0


def test_the_pace_of_now_takes_the_place_of_that_before():
    pace, now = pace_with(busy_at=4, inside=20, per_s=1000)
    for _ in range(200):
        now += 0.1
        pace.enter(now)
        pace.leave(now)
    assert pace.stay_ms(now) == pytest.approx(2000, rel=0.05)


def test_requests_that_leave_in_batches_are_not_taken_for_slow_ones():
    pace = Pace(busy_at=16)
    for _ in range(32):
        pace.enter(0.0)
    for number in range(20):  # 16 leave together, every 0.5 s, and 16 others come
        now = 0.5 * (number + 1)
        for _ in range(16):
            pace.leave(now)
            assert pace.stay_ms(now) <= 1.5 * 32 / (16 / 0.5) * 1000
            pace.enter(now)
    assert pace.stay_ms(now) == pytest.approx(32 / (16 / 0.5) * 1000, rel=0.3)


def test_time_in_which_few_were_inside_does_not_count():
    pace, now = pace_with(busy_at=4, inside=4, per_s=100)
    for _ in range(4):
        pace.leave(now)
    now += 0.05
    for _ in range(4):
        pace.enter(now)
    assert pace.stay_ms(now) == pytest.approx(40, rel=0.3)


def test_a_figure_that_no_crowd_confirms_fades():
    """Whom it keeps out could not show that it is wrong by now."""
    pace, now = pace_with(busy_at=4, inside=4, per_s=1, seconds=32)  # 16 take 16 s
    assert pace.stay_ms(now) == pytest.approx(4000, rel=0.05)
    assert pace.stay_ms(now + 32) == pytest.approx(4000 / math.e, rel=0.1)
    assert pace.stay_ms(now + 3600) < 1
