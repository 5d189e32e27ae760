import asyncio

import pytest

from suresam.engine.permits import Permits
from suresam.errors import NotReady, Overloaded, ShuttingDown


@pytest.fixture
def make(telemetry):
    def permits(max_in_flight=1, is_ready=True, backlog_ms=0.0):
        return Permits(max_in_flight, lambda: backlog_ms, lambda: is_ready, telemetry)

    return permits


def test_as_many_come_in_as_the_limit_says_and_no_more(make, count):
    permits = make(max_in_flight=2)
    with permits.permit(), permits.permit():
        with pytest.raises(Overloaded, match=r"2 requests are in progress \(limit 2\)"):
            permits.permit().__enter__()
        assert count("rejected_total", reason="in_flight") == 1
    with permits.permit():
        pass


def test_a_failed_request_gives_its_permit_back(make):
    permits = make()
    for _ in range(3):
        with pytest.raises(ValueError, match="mine"), permits.permit():
            raise ValueError("mine")


@pytest.mark.parametrize(("backlog_ms", "retry_s"), [(0.0, 0.1), (2500.0, 2.5)])
def test_the_advice_when_to_retry_follows_the_work_in_progress(make, backlog_ms, retry_s):
    permits = make(backlog_ms=backlog_ms)
    with permits.permit(), pytest.raises(Overloaded) as caught:
        permits.permit().__enter__()
    assert retry_s <= caught.value.retry_after_s <= 1.2 * retry_s


def test_nobody_comes_in_before_the_models_are_ready(make, count):
    with pytest.raises(NotReady):
        make(is_ready=False).permit().__enter__()
    assert count("rejected_total", reason="not_ready") == 1


async def test_an_empty_engine_closes_at_once_for_good(make, count):
    permits = make()
    await permits.close(wait_s=0)
    with pytest.raises(ShuttingDown):
        permits.permit().__enter__()
    assert count("rejected_total", reason="shutting_down") == 1


async def test_closing_waits_for_those_inside(make, turn):
    permits = make(max_in_flight=2)
    first, second = permits.permit(), permits.permit()
    first.__enter__()
    second.__enter__()
    closing = asyncio.create_task(permits.close(wait_s=60))
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDown):
        permits.permit().__enter__()
    first.__exit__(None, None, None)
    await asyncio.sleep(0)
    assert not closing.done()
    second.__exit__(None, None, None)
    await turn(closing.done)


async def test_closing_waits_no_longer_than_told(make):
    permits = make()
    with permits.permit():
        await permits.close(wait_s=0)
