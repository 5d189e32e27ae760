import contextlib
import math

import pytest

from suresam.engine.newcomers import Newcomers
from suresam.errors import InvalidPrompt, Overloaded


@pytest.fixture
def newcomers(telemetry, clock):
    return Newcomers(telemetry, clock)


def click(newcomers, *errors, tenant="a", remaining_ms=10_000):
    """One click for each error, which it meets unless that is None."""
    for error in errors:
        clicking = newcomers.clicking(tenant, remaining_ms)
        with contextlib.suppress(Overloaded, InvalidPrompt), clicking:
            if error is not None:
                raise error


REFUSED = Overloaded("no", retry_after_s=1)


def is_let_in(newcomers, tenant="a"):
    try:
        newcomers.let_in(tenant)
    except Overloaded:
        return False
    return True


def test_pictures_are_let_in_where_nobody_clicks(newcomers):
    assert all(is_let_in(newcomers) for _ in range(100))


def test_while_clicks_are_refused_so_are_pictures_that_would_bring_more(newcomers, count, clock):
    click(newcomers, *[None] * 60, *[REFUSED] * 20)
    message = r"25% of your last clicks were refused .* \(.* let in up to 10%\)"
    with pytest.raises(Overloaded, match=message) as caught:
        newcomers.let_in("a")
    wait_s = 0.5 * math.log(20 / 3)  # then they count for three
    assert wait_s <= caught.value.retry_after_s <= 1.2 * wait_s
    clock.now += 1.01 * wait_s
    newcomers.let_in("a")
    assert count("rejected_total", reason="crowd") == 1


def test_another_tenants_pictures_come_in(newcomers):
    click(newcomers, *[REFUSED] * 50)
    click(newcomers, *[None] * 50, tenant="b")
    assert [is_let_in(newcomers, tenant) for tenant in "abc"] == [False, True, True]


def test_of_ten_pictures_one_comes_in_however_many_clicks_there_are(newcomers):
    click(newcomers, *[REFUSED] * 1000)
    let_in = [is_let_in(newcomers) for _ in range(30)]
    assert [at for at, is_in in enumerate(let_in) if is_in] == [9, 19, 29]


@pytest.mark.parametrize(
    ("errors", "is_in"),
    [
        ([REFUSED] * 3, True),  # too few to say anything
        ([REFUSED] * 4, False),
        ([None] * 36 + [REFUSED] * 4, True),  # a tenth exactly
        ([None] * 35 + [REFUSED] * 4, False),
        ([InvalidPrompt("no")] * 40, True),  # refused for what it is
    ],
)
def test_a_few_refusals_keep_nobody_out(newcomers, errors, is_in):
    click(newcomers, *errors)
    assert is_let_in(newcomers) == is_in


def test_refusals_are_forgotten_with_time_and_behind_answers(newcomers, clock):
    click(newcomers, *[REFUSED] * 10)
    clock.now += 0.55  # 10 / e**1.1 = 3.3
    assert not is_let_in(newcomers)
    clock.now += 0.1  # 2.7
    assert is_let_in(newcomers)
    click(newcomers, *[REFUSED] * 10)
    assert not is_let_in(newcomers)
    click(newcomers, *[None] * 200)
    assert is_let_in(newcomers)


def test_clicks_in_progress_count_as_let_in(newcomers):
    with contextlib.ExitStack() as inside:
        for _ in range(200):
            inside.enter_context(newcomers.clicking("a", 10_000))
        click(newcomers, *[REFUSED] * 10)
        assert is_let_in(newcomers)


def test_clicks_whose_deadline_nobody_could_meet_keep_nobody_out(newcomers):
    click(newcomers, *[REFUSED] * 100, remaining_ms=99)
    assert is_let_in(newcomers)
    click(newcomers, *[REFUSED] * 100, remaining_ms=100)
    assert not is_let_in(newcomers)
