import asyncio

import pytest

from suresam.api.grpc.pace import paced
from suresam.api.upload_times import UploadTimes
from suresam.errors import DeadlineExceeded


async def stream(*steps, ends=True):
    for step in steps:
        yield step
        await asyncio.sleep(0)
    if not ends:
        await asyncio.Event().wait()


async def collect(messages):
    return [message async for message in messages]


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_messages_in_time_come_through(count):
    assert (
        await collect(paced(stream(*range(1, count + 1)), UploadTimes(9, 9))) == [1, 2, 3][:count]
    )


async def test_a_stream_that_stands_still_is_told_its_limit():
    messages = paced(stream(1, 2, ends=False), UploadTimes(0.2, 9))
    assert (await anext(messages), await anext(messages)) == (1, 2)
    with pytest.raises(DeadlineExceeded) as caught:
        await asyncio.wait_for(anext(messages), 60)
    assert caught.value.message == (
        "the upload stood still for 0.2 s after 2 messages (limit 0.2 s between messages)"
    )


async def test_a_stream_that_never_ends_is_told_the_limit_of_the_whole():
    async def endless():
        while True:
            yield 1
            await asyncio.sleep(0.001)

    with pytest.raises(DeadlineExceeded, match=r"not complete after 0\.\d+ s .*\(limit 0\.05 s\)"):
        await asyncio.wait_for(collect(paced(endless(), UploadTimes(9, 0.05))), 60)


async def test_an_error_of_the_stream_passes():
    async def broken():
        yield 1
        raise KeyError

    with pytest.raises(KeyError):
        await collect(paced(broken(), UploadTimes(9, 9)))
