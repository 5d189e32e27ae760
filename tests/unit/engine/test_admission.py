import pytest

from suresam.engine.admission import Admission
from suresam.engine.backlog import Backlog
from suresam.errors import Overloaded

CLICK, UPLOAD = {("decode", "m"): 1}, {("encode", "m"): 1}


def work_ms(rows):
    """10 ms a click, 100 ms an upload."""
    return sum(n * (10.0 if stage == "decode" else 100.0) for (stage, _), n in rows.items())


@pytest.fixture
def make(telemetry):
    return lambda: Admission(Backlog(work_ms, encode_share=0.5), telemetry)


def test_work_that_cannot_be_done_in_time_behind_others_is_refused_at_once(make, count):
    admission = make()
    with admission.work("t", {("decode", "m"): 50}, 60_000):
        message = r"would take 510 ms, 500 ms of them waiting .* \(until the deadline 310 ms\)"
        with pytest.raises(Overloaded, match=message) as caught:
            admission.work("t", CLICK, 310).__enter__()
        # 510 ms less the device's share of 310 ms, which is 248.
        assert 0.262 <= caught.value.retry_after_s <= 1.2 * 0.263
        assert count("rejected_total", reason="wait") == 1
        with admission.work("t", CLICK, 640):
            pass
    with admission.work("t", CLICK, 310):
        pass


def test_where_nothing_waits_even_a_short_deadline_may_try(make):
    """The table may be wrong, and would stay so if nobody were let in any more."""
    with make().work("t", CLICK, 1):
        pass


def test_who_needs_nothing_of_the_device_is_let_in_behind_any_backlog(make):
    admission = make()
    with admission.work("t", {("encode", "m"): 1000}, 600_000), admission.work("t", {}, 1):
        pass


def test_a_refused_request_leaves_nothing_in_the_backlog(make):
    admission = make()
    with admission.work("t", UPLOAD, 60_000):
        for _ in range(100):
            with pytest.raises(Overloaded):
                admission.work("t", UPLOAD, 370).__enter__()
        with admission.work("t", UPLOAD, 380):
            pass


def test_a_click_does_not_wait_for_all_uploads_but_an_upload_does(make):
    """Half of the device is theirs while clicks wait, and one may just be running."""
    backlog = Backlog(work_ms, encode_share=0.5)
    backlog.add("t", {("encode", "m"): 10, ("decode", "m"): 3})
    assert backlog.wait_ms("t", CLICK) == 3 * 10 / 0.5 + 100
    assert backlog.wait_ms("t", {**CLICK, **UPLOAD}) == 10 * 100 / 0.5
    backlog.remove("t", {("encode", "m"): 10})
    assert backlog.wait_ms("t", CLICK) == 30
    backlog.remove("t", {("decode", "m"): 3})
    assert backlog.wait_ms("t", {**CLICK, **UPLOAD}) == 0


def test_an_upload_behind_others_waits_until_their_share_of_the_device_is_enough_for_them():
    backlog = Backlog(work_ms, encode_share=0.25)
    backlog.add("t", {("encode", "m"): 3})
    assert backlog.wait_ms("t", UPLOAD) == 300 / 0.25  # clicks that come will pass them
    backlog.add("t", {("decode", "m"): 100})
    assert backlog.wait_ms("t", UPLOAD) == 1300  # here they are


def test_a_cost_table_that_says_too_much_does_not_turn_everybody_away_for_ever(make):
    """Behind an upload of 100 ms a click that has 50 may be late; but nobody else asks."""
    admission = make()
    with admission.work("t", UPLOAD, 60_000):
        with admission.work("t", CLICK, 50), pytest.raises(Overloaded):
            admission.work("t", CLICK, 50).__enter__()
        with admission.work("t", CLICK, 50):
            pass


def test_a_click_waits_no_longer_than_for_everything():
    backlog = Backlog(work_ms, encode_share=0.9)
    backlog.add("t", {("encode", "m"): 1, ("decode", "m"): 3})
    assert backlog.wait_ms("t", CLICK) == 130


def test_nobody_waits_for_all_that_another_tenant_has_asked(make):
    """They take turns: behind a hundred clicks of another one goes first for each of ours."""
    backlog = Backlog(work_ms, encode_share=0.5)
    backlog.add("crowd", {("decode", "m"): 100})
    backlog.add("other", CLICK)
    assert backlog.wait_ms("t", CLICK) == 10 + 10
    backlog.add("t", {("decode", "m"): 2})
    assert backlog.wait_ms("t", CLICK) == 2 * 10 + 3 * 10 + 10
    assert backlog.wait_ms("crowd", CLICK) == 100 * 10 + 2 * 10 + 10


def test_an_upload_waits_for_no_more_clicks_than_its_share_of_the_device_lets_by():
    backlog = Backlog(work_ms, encode_share=0.25)
    backlog.add("crowd", {("decode", "m"): 1000})
    assert backlog.wait_ms("t", UPLOAD) == 300  # then 100 ms of encode are a quarter
    backlog.add("crowd", {("encode", "m"): 7})
    assert backlog.wait_ms("t", UPLOAD) == 100 + 2 * 300
    assert backlog.wait_ms("crowd", UPLOAD) == 700 + 8 * 300


def test_a_tenant_whose_work_is_done_leaves_nothing_behind():
    backlog = Backlog(work_ms, encode_share=0.5)
    backlog.add("t", {**CLICK, **UPLOAD})
    backlog.remove("t", {**CLICK, **UPLOAD})
    assert backlog._tenants == {}
