import asyncio

import pytest

from suresam.engine.admission import Admission
from suresam.errors import NotReady, Overloaded, ShuttingDown


@pytest.fixture
def make(telemetry):
    def admission(max_in_flight=1, waiting_ms=0.0, is_ready=True):
        return Admission(max_in_flight, lambda: waiting_ms, lambda: is_ready, telemetry)

    return admission


def test_as_many_come_in_as_the_limit_says_and_no_more(make, count):
    admission = make(max_in_flight=2)
    with admission.permit(), admission.permit():
        with pytest.raises(Overloaded, match=r"2 requests are in progress \(limit 2\)"):
            admission.permit().__enter__()
        assert count("rejected_total", reason="in_flight") == 1
    with admission.permit():
        pass


def test_a_failed_request_gives_its_permit_back(make):
    admission = make()
    for _ in range(3):
        with pytest.raises(ValueError, match="mine"), admission.permit():
            raise ValueError("mine")


@pytest.mark.parametrize(("waiting_ms", "retry_s"), [(0, 1.0), (999, 1.0), (2500, 2.5)])
def test_the_advice_when_to_retry_follows_the_queue(make, waiting_ms, retry_s):
    admission = make(waiting_ms=waiting_ms)
    with admission.permit(), pytest.raises(Overloaded) as caught:
        admission.permit().__enter__()
    assert caught.value.retry_after_s == retry_s


def test_nobody_comes_in_before_the_models_are_ready(make, count):
    with pytest.raises(NotReady):
        make(is_ready=False).permit().__enter__()
    assert count("rejected_total", reason="not_ready") == 1


async def test_an_empty_engine_closes_at_once_for_good(make, count):
    admission = make()
    await admission.close(wait_s=0)
    with pytest.raises(ShuttingDown):
        admission.permit().__enter__()
    assert count("rejected_total", reason="shutting_down") == 1


async def test_closing_waits_for_those_inside(make, turn):
    admission = make(max_in_flight=2)
    first, second = admission.permit(), admission.permit()
    first.__enter__()
    second.__enter__()
    closing = asyncio.create_task(admission.close(wait_s=60))
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDown):
        admission.permit().__enter__()
    first.__exit__(None, None, None)
    await asyncio.sleep(0)
    assert not closing.done()
    second.__exit__(None, None, None)
    await turn(closing.done)


async def test_closing_waits_no_longer_than_told(make):
    admission = make()
    with admission.permit():
        await admission.close(wait_s=0)
