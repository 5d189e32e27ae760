"""Work that is dropped when its client hangs up, and only then."""

import asyncio

import pytest

from suresam.api.rest.disconnect import ClientGone, unless_gone


class Caller:
    """A request whose client hangs up when told."""

    def __init__(self):
        self.hung_up = asyncio.Event()

    async def receive(self):
        await self.hung_up.wait()
        return {"type": "http.disconnect"}


async def test_an_answer_in_time_is_given():
    async def work():
        return "answer"

    assert await unless_gone(Caller(), work()) == "answer"


async def test_work_is_cancelled_when_the_client_hangs_up():
    caller, is_cancelled = Caller(), asyncio.Event()

    async def work():
        try:
            caller.hung_up.set()
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()

    with pytest.raises(ClientGone):
        await unless_gone(caller, work())
    assert is_cancelled.is_set()


async def test_a_client_who_goes_as_the_work_ends_stops_nothing_that_follows():
    caller, end = Caller(), asyncio.Event()

    async def work():
        await end.wait()
        return "answer"

    async def endpoint():
        answer = await unless_gone(caller, work())
        for _ in range(5):
            await asyncio.sleep(0)
        return answer

    answering = asyncio.create_task(endpoint())
    await asyncio.sleep(0)
    end.set()
    caller.hung_up.set()
    assert await answering == "answer"


async def test_who_is_cancelled_from_outside_hears_of_no_client():
    begun = asyncio.Event()

    async def work():
        begun.set()
        await asyncio.Event().wait()

    answering = asyncio.create_task(unless_gone(Caller(), work()))
    await begun.wait()
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
