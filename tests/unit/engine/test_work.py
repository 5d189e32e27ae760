import pytest

from suresam.engine.backlog import Backlog
from suresam.engine.work import Work

CLICK, UPLOAD = {("decode", "m"): 1}, {("encode", "m"): 1}


@pytest.fixture
def backlog():
    """10 ms a click, 100 ms an upload."""
    return Backlog(
        lambda rows: sum(
            n * (10.0 if stage == "decode" else 100.0) for (stage, _), n in rows.items()
        ),
        encode_share=0.5,
    )


def test_what_is_done_is_waited_for_no_more(backlog):
    work = Work(backlog, "t", {**UPLOAD, ("decode", "m"): 3})
    assert backlog.total_ms() == 130
    work.done({**UPLOAD, **CLICK})
    assert backlog.total_ms() == 20
    work.done(CLICK)
    assert backlog.total_ms() == 10
    work.give_up()
    assert backlog.total_ms() == 0


def test_more_than_there_was_is_nobody_elses(backlog):
    others, work = Work(backlog, "t", {**UPLOAD, **CLICK}), Work(backlog, "t", CLICK)
    for _ in range(2):
        work.done({**UPLOAD, **CLICK})
        work.give_up()
    assert backlog.total_ms() == 110
    others.give_up()
    assert backlog.total_ms() == 0


def test_who_joins_an_encode_waits_for_all_but_lets_clicks_think_that_nothing_is_encoded(backlog):
    joiner = {**CLICK, ("encode", "m"): 0}
    with_others = Work(backlog, "t", {**UPLOAD, ("decode", "m"): 20})
    assert backlog.wait_ms("t", joiner) == 300
    with_others.give_up()
    Work(backlog, "t", joiner)
    assert backlog.wait_ms("t", CLICK) == 10
    assert backlog.own_ms(joiner) == 10
