import asyncio

import pytest

from suresam.engine.admission import Admission
from suresam.engine.backlog import Backlog
from suresam.errors import NotReady, Overloaded, ShuttingDown

CLICK, UPLOAD = {("decode", "m"): 1}, {("encode", "m"): 1}


def permit(admission, kind="click", remaining_ms=60_000.0):
    return admission.permit(kind, remaining_ms)


def work_ms(rows):
    """10 ms a click, 100 ms an upload."""
    return sum(n * (10.0 if stage == "decode" else 100.0) for (stage, _), n in rows.items())


@pytest.fixture
def make(telemetry):
    def admission(max_in_flight=1, is_ready=True, encode_share=0.5, **options):
        backlog = Backlog(work_ms, encode_share)
        return Admission(max_in_flight, backlog, lambda: is_ready, telemetry, **options)

    return admission


def test_as_many_come_in_as_the_limit_says_and_no_more(make, count):
    admission = make(max_in_flight=2)
    with permit(admission), permit(admission):
        with pytest.raises(Overloaded, match=r"2 requests are in progress \(limit 2\)"):
            permit(admission).__enter__()
        assert count("rejected_total", reason="in_flight") == 1
    with permit(admission):
        pass


def test_a_failed_request_gives_its_permit_back(make):
    admission = make()
    for _ in range(3):
        with pytest.raises(ValueError, match="mine"), permit(admission):
            raise ValueError("mine")


@pytest.mark.parametrize(("uploads", "retry_s"), [(0, 0.1), (25, 2.5)])
def test_the_advice_when_to_retry_follows_the_work_in_progress(make, uploads, retry_s):
    admission = make()
    work = {("encode", "m"): uploads}
    with permit(admission), admission.work(work, 60_000), pytest.raises(Overloaded) as caught:
        permit(admission).__enter__()
    assert retry_s <= caught.value.retry_after_s <= 1.2 * retry_s


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


def test_nobody_comes_in_before_the_models_are_ready(make, count):
    with pytest.raises(NotReady):
        permit(make(is_ready=False)).__enter__()
    assert count("rejected_total", reason="not_ready") == 1


async def test_an_empty_engine_closes_at_once_for_good(make, count):
    admission = make()
    await admission.close(wait_s=0)
    with pytest.raises(ShuttingDown):
        permit(admission).__enter__()
    assert count("rejected_total", reason="shutting_down") == 1


async def test_closing_waits_for_those_inside(make, turn):
    admission = make(max_in_flight=2)
    first, second = permit(admission), permit(admission)
    first.__enter__()
    second.__enter__()
    closing = asyncio.create_task(admission.close(wait_s=60))
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDown):
        permit(admission).__enter__()
    first.__exit__(None, None, None)
    await asyncio.sleep(0)
    assert not closing.done()
    second.__exit__(None, None, None)
    await turn(closing.done)


async def test_closing_waits_no_longer_than_told(make):
    admission = make()
    with permit(admission):
        await admission.close(wait_s=0)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def busy(make, kind):
    """Two of a kind are always inside and ten a second are answered; then two are inside."""
    clock = Clock()
    admission = make(max_in_flight=10, busy_at=2, clock=clock)
    inside = [permit(admission, kind) for _ in range(2)]
    for request in inside:
        request.__enter__()
    for _ in range(20):
        clock.now += 0.1
        newcomer = permit(admission, kind)
        newcomer.__enter__()
        inside.append(newcomer)
        inside.pop(0).__exit__(None, None, None)
    return admission, inside


@pytest.mark.parametrize(("kind", "share"), [("click", 0.5), ("upload", 0.2)])
def test_who_would_stay_for_too_much_of_the_deadline_is_refused_at_once(make, count, kind, share):
    admission, _inside = busy(make, kind)
    # Two inside at ten a second: a newcomer is answered after 0.2 s.
    with pytest.raises(Overloaded, match=r"take 200 ms just now \(let in below 190 ms") as caught:
        permit(admission, kind, remaining_ms=190 / share).__enter__()
    assert caught.value.retry_after_s >= 0.1
    assert count("rejected_total", reason="pace") == 1
    with permit(admission, kind, remaining_ms=200.1 / share):
        pass


def test_uploads_that_take_long_keep_no_click_out(make):
    admission, _inside = busy(make, "upload")
    with permit(admission, "click", remaining_ms=10):
        pass
