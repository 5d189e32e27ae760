import asyncio

import pytest
from clock import Clock
from device import until

from suresam.engine.permits import Permits
from suresam.errors import NotReady, Overloaded, ShuttingDown


def permit(permits, kind="click", remaining_ms=60_000.0):
    return permits.permit(kind, remaining_ms)


@pytest.fixture
def make(telemetry):
    def permits(max_in_flight=1, is_ready=True, backlog_ms=0.0, **options):
        return Permits(max_in_flight, lambda: backlog_ms, lambda: is_ready, telemetry, **options)

    return permits


def test_as_many_come_in_as_the_limit_says_and_no_more(make, count):
    permits = make(max_in_flight=2)
    with permit(permits), permit(permits):
        with pytest.raises(Overloaded, match=r"2 requests are in progress \(limit 2\)"):
            permit(permits).__enter__()
        assert count("rejected_total", reason="in_flight") == 1
    with permit(permits):
        pass


def test_a_failed_request_gives_its_permit_back(make):
    permits = make()
    for _ in range(3):
        with pytest.raises(ValueError, match="mine"), permit(permits):
            raise ValueError("mine")


@pytest.mark.parametrize(("backlog_ms", "retry_s"), [(0.0, 0.1), (2500.0, 2.5)])
def test_the_advice_when_to_retry_follows_the_work_in_progress(make, backlog_ms, retry_s):
    permits = make(backlog_ms=backlog_ms)
    with permit(permits), pytest.raises(Overloaded) as caught:
        permit(permits).__enter__()
    assert retry_s <= caught.value.retry_after_s <= 1.2 * retry_s


def test_nobody_comes_in_before_the_models_are_ready(make, count):
    with pytest.raises(NotReady):
        permit(make(is_ready=False)).__enter__()
    assert count("rejected_total", reason="not_ready") == 1


async def test_an_empty_engine_closes_at_once_for_good(make, count):
    permits = make()
    await permits.close(wait_s=0)
    with pytest.raises(ShuttingDown):
        permit(permits).__enter__()
    assert count("rejected_total", reason="shutting_down") == 1


async def test_closing_waits_for_those_inside(make):
    permits = make(max_in_flight=2)
    first, second = permit(permits), permit(permits)
    first.__enter__()
    second.__enter__()
    closing = asyncio.create_task(permits.close(wait_s=60))
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDown):
        permit(permits).__enter__()
    first.__exit__(None, None, None)
    await asyncio.sleep(0)
    assert not closing.done()
    second.__exit__(None, None, None)
    await until(closing.done)


async def test_closing_waits_no_longer_than_told(make):
    permits = make()
    with permit(permits):
        await permits.close(wait_s=0)


def busy(make, kind):
    """Two of a kind are always inside and ten a second are answered; then two are inside."""
    clock = Clock()
    permits = make(max_in_flight=10, busy_at=2, clock=clock)
    inside = [permit(permits, kind) for _ in range(2)]
    for request in inside:
        request.__enter__()
    for _ in range(20):
        clock.now += 0.1
        newcomer = permit(permits, kind)
        newcomer.__enter__()
        inside.append(newcomer)
        inside.pop(0).__exit__(None, None, None)
    return permits, inside


@pytest.mark.parametrize(("kind", "share"), [("click", 0.5), ("upload", 0.2)])
def test_who_would_stay_for_too_much_of_the_deadline_is_refused_at_once(make, count, kind, share):
    permits, _inside = busy(make, kind)
    # Two inside at ten a second: a newcomer is answered after 0.2 s.
    with pytest.raises(Overloaded, match=r"take 200 ms just now \(let in below 190 ms") as caught:
        permit(permits, kind, remaining_ms=190 / share).__enter__()
    assert caught.value.retry_after_s >= 0.1
    assert count("rejected_total", reason="pace") == 1
    with permit(permits, kind, remaining_ms=200.1 / share):
        pass


def test_uploads_that_take_long_keep_no_click_out(make):
    permits, _inside = busy(make, "upload")
    with permit(permits, "click", remaining_ms=10):
        pass
