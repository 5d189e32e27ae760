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
    with admission.work({("decode", "m"): 50}, 60_000):
        message = r"would take 510 ms, 500 ms of them waiting .* \(until the deadline 310 ms\)"
        with pytest.raises(Overloaded, match=message) as caught:
            admission.work(CLICK, 310).__enter__()
        # 510 ms less the device's share of 310 ms, which is 248.
        assert 0.262 <= caught.value.retry_after_s <= 1.2 * 0.263
        assert count("rejected_total", reason="wait") == 1
        with admission.work(CLICK, 640):
            pass
    with admission.work(CLICK, 310):
        pass


def test_where_nothing_waits_even_a_short_deadline_may_try(make):
    """The table may be wrong, and would stay so if nobody were let in any more."""
    with make().work(CLICK, 1):
        pass


def test_who_needs_nothing_of_the_device_is_let_in_behind_any_backlog(make):
    admission = make()
    with admission.work({("encode", "m"): 1000}, 600_000), admission.work({}, 1):
        pass


def test_a_refused_request_leaves_nothing_in_the_backlog(make):
    admission = make()
    with admission.work(UPLOAD, 60_000):
        for _ in range(100):
            with pytest.raises(Overloaded):
                admission.work(UPLOAD, 370).__enter__()
        with admission.work(UPLOAD, 380):
            pass


def test_a_click_does_not_wait_for_all_uploads_but_an_upload_does(make):
    """Half of the device is theirs while clicks wait, and one may just be running."""
    backlog = Backlog(work_ms, encode_share=0.5)
    backlog.add({("encode", "m"): 10, ("decode", "m"): 3})
    assert backlog.wait_ms(CLICK) == 3 * 10 / 0.5 + 100
    assert backlog.wait_ms({**CLICK, **UPLOAD}) == 10 * 100 / 0.5
    backlog.remove({("encode", "m"): 10})
    assert backlog.wait_ms(CLICK) == 30
    backlog.remove({("decode", "m"): 3})
    assert backlog.wait_ms({**CLICK, **UPLOAD}) == 0


def test_an_upload_behind_others_waits_until_their_share_of_the_device_is_enough_for_them():
    backlog = Backlog(work_ms, encode_share=0.25)
    backlog.add({("encode", "m"): 3})
    assert backlog.wait_ms(UPLOAD) == 300 / 0.25  # clicks that come will pass them
    backlog.add({("decode", "m"): 100})
    assert backlog.wait_ms(UPLOAD) == 1300  # here they are


def test_a_cost_table_that_says_too_much_does_not_turn_everybody_away_for_ever(make):
    """Behind an upload of 100 ms a click that has 50 may be late; but nobody else asks."""
    admission = make()
    with admission.work(UPLOAD, 60_000):
        with admission.work(CLICK, 50), pytest.raises(Overloaded):
            admission.work(CLICK, 50).__enter__()
        with admission.work(CLICK, 50):
            pass


def test_a_click_waits_no_longer_than_for_everything():
    backlog = Backlog(work_ms, encode_share=0.9)
    backlog.add({("encode", "m"): 1, ("decode", "m"): 3})
    assert backlog.wait_ms(CLICK) == 130
