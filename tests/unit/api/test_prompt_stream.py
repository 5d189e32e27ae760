"""Works of one stream: as soon as they are ready, so many at a time, all cancelled in the end."""

import asyncio
from contextlib import aclosing

import pytest

from suresam.api.prompt_stream import as_ready, outcome_of
from suresam.domain import ImageSize, SegmentResponse, Timings
from suresam.errors import InvalidPrompt, OutOfMemory, Overloaded, Superseded
from suresam.routing.answer import Step


class Works:
    """Works that wait for their events, and how many were read, started and cancelled."""

    def __init__(self, count, ends=True):
        self.events = [asyncio.Event() for _ in range(count)]
        self.ends = ends
        self.read = 0
        self.cancelled = []
        self.is_closed = False

    async def __call__(self):
        try:
            for index in range(len(self.events)):
                self.read += 1
                yield lambda index=index: self.work(index)
            if not self.ends:
                await asyncio.Event().wait()
        finally:
            self.is_closed = True

    async def work(self, index):
        try:
            await self.events[index].wait()
        except asyncio.CancelledError:
            self.cancelled.append(index)
            raise
        return f"r{index}"


async def settle():
    """Let everything run that can run without another event."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_works_no_results():
    assert [r async for r in as_ready(Works(0)(), 1)] == []


async def test_results_come_in_the_order_in_which_they_are_ready():
    works = Works(3)
    results = as_ready(works(), 3)
    for index in (2, 0, 1):
        first = asyncio.create_task(anext(results))
        await settle()
        assert not first.done()
        works.events[index].set()
        assert await first == (index, f"r{index}")
    assert [r async for r in results] == []


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_than_the_limit_are_read_until_one_is_taken(limit):
    works = Works(5)
    results = as_ready(works(), limit)
    taken = asyncio.create_task(anext(results))
    await settle()
    assert works.read == limit
    for event in works.events:
        event.set()
    await taken
    # All that was started is ready, but nobody takes it.
    await settle()
    assert works.read == limit
    rest = [result async for result in results]
    assert sorted([taken.result(), *rest]) == [(i, f"r{i}") for i in range(5)]


async def test_closing_early_cancels_what_runs_and_closes_the_source():
    works = Works(4)
    works.events[1].set()
    async with aclosing(as_ready(works(), 3)) as results:
        assert await anext(results) == (1, "r1")
    assert sorted(works.cancelled) in ([0], [0, 2])
    assert works.is_closed


async def test_a_cancelled_reader_leaves_nothing_running():
    works = Works(2, ends=False)

    async def read():
        async with aclosing(as_ready(works(), 3)) as results:
            async for _ in results:
                pass

    reader = asyncio.create_task(read())
    await settle()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert works.cancelled == [0, 1]
    assert works.is_closed


async def test_a_work_that_raises_ends_all():
    works = Works(1)

    async def source():
        async for work in works():
            yield work

        async def broken():
            raise KeyError("bug")

        yield broken

    with pytest.raises(KeyError, match="bug"):
        [r async for r in as_ready(source(), 3)]
    assert works.cancelled == [0]


async def test_a_work_may_go_on_in_its_place_from_what_it_told():
    works, rest = Works(3), Works(10)

    def then(result):
        return {"r0": lambda: rest.work(9)}.get(result)

    results = as_ready(works(), 2, then)
    works.events[0].set()
    assert await anext(results) == (0, "r0")
    second = asyncio.create_task(anext(results))
    await settle()
    assert works.read == 2  # what goes on counts as in progress
    rest.events[9].set()
    works.events[1].set()
    assert sorted([await second, await anext(results)]) == [(0, "r9"), (1, "r1")]
    works.events[2].set()
    assert [found async for found in results] == [(2, "r2")]


async def test_what_goes_on_is_cancelled_with_the_others():
    works, rest = Works(1), Works(1)
    async with aclosing(as_ready(works(), 3, lambda result: lambda: rest.work(0))) as results:
        works.events[0].set()
        assert await anext(results) == (0, "r0")
        await settle()
    assert rest.cancelled == [0]


async def told(error):
    async def work():
        raise error

    return await outcome_of(work(), prompt_id="a", session_id="s", request_id="r-1")


async def test_a_refused_prompt_tells_why_in_its_result():
    outcome = await told(InvalidPrompt("point x=9"))
    assert isinstance(outcome.refusal, InvalidPrompt)
    [result] = outcome.response.results
    assert (result.prompt_id, result.masks, result.best, result.route) == ("a", (), None, None)
    assert (result.error.code, result.error.message) == ("invalid_prompt", "point x=9")
    assert result.error.retry_after_ms is None
    assert (outcome.response.image, outcome.response.session_id) == (None, "s")


async def test_a_full_service_tells_when_to_come_back():
    outcome = await told(Overloaded("full", retry_after_s=2.5))
    assert outcome.response.results[0].error.retry_after_ms == 2500


async def test_what_is_our_fault_is_not_told_in_detail():
    error = (await told(OutOfMemory("cuda:0 has 3 bytes"))).response.results[0].error
    assert error.code == "out_of_memory"
    assert "cuda" not in error.message
    assert "r-1" in error.message


async def test_an_answer_stays_as_it_is_and_a_bug_passes():
    answer = SegmentResponse(ImageSize(1, 1), "s", (), (), Timings())

    async def work():
        return Step(answer)

    outcome = await outcome_of(work(), prompt_id=None, session_id="s", request_id="r")
    assert (outcome.response, outcome.refusal, outcome.rest) == (answer, None, None)
    with pytest.raises(ZeroDivisionError):
        await told(ZeroDivisionError())


@pytest.mark.parametrize("error", [None, Superseded("newer")])
async def test_a_provisional_answer_is_followed_by_another_or_by_an_error(error):
    first, last = (SegmentResponse(ImageSize(1, 1), "s", (), (), Timings()) for _ in range(2))

    async def rest():
        if error is not None:
            raise error
        return last

    async def work():
        return Step(first, rest)

    outcome = await outcome_of(work(), prompt_id="a", session_id="s", request_id="r")
    assert (outcome.response, outcome.refusal) == (first, None)
    followed = await outcome.rest()
    assert (followed.refusal, followed.rest) == (error, None)
    if error is None:
        assert followed.response is last
    else:
        [result] = followed.response.results
        assert (result.prompt_id, result.error.code) == ("a", "superseded")
        assert not result.provisional
