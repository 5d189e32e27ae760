import asyncio
import sys

import pytest

from suresam.engine.tasks import wait_all, within
from suresam.errors import DeadlineExceeded


async def forever(ended):
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(True)


async def value_of(value):
    await asyncio.sleep(0)
    return value


async def test_what_is_ready_in_time_is_returned_and_the_task_lives_on():
    assert await within(60_000, value_of(7)) == 7
    await asyncio.sleep(0)  # a timer that still ran would cancel this one


async def test_at_the_deadline_the_work_ends_and_only_that():
    ended = []
    with pytest.raises(DeadlineExceeded, match="within the 1 ms that were left"):
        await within(1, forever(ended))
    assert ended == [True]
    await asyncio.sleep(0.01)  # the task is cancelled no more
    if sys.version_info >= (3, 11):
        assert asyncio.current_task().cancelling() == 0


async def test_a_caller_who_leaves_is_not_told_of_a_deadline():
    ended = []
    task = asyncio.create_task(within(60_000, forever(ended)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="before 3.11 nobody can tell them apart")
async def test_who_leaves_just_at_the_deadline_has_left():
    async def work():
        # Both reasons are there before the task turns again.
        asyncio.get_running_loop().call_soon(task.cancel)
        await forever([])

    task = asyncio.create_task(within(0, work()))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_fails_says_so_itself():
    async def failing():
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await within(60_000, failing())


async def test_one_failure_calls_the_others_off():
    ended = []

    async def failing():
        await asyncio.sleep(0)
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await wait_all([forever(ended), failing()])
    await asyncio.sleep(0)
    assert ended == [True]
