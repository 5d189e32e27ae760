import asyncio
import os

import numpy as np
import pytest

from suresam.engine.process.channel import Channel, socket_pair


@pytest.fixture
async def ends():
    """Two channels, what the second received, and an event for the first one's loss."""
    received, lost = asyncio.Queue(), asyncio.Event()
    ours, theirs = socket_pair()
    first = Channel(ours, received.put_nowait, lost.set)
    second = Channel(theirs, received.put_nowait, lambda: None)
    yield first, second, received, lost
    first.close()
    second.close()


async def test_messages_arrive_in_order_whatever_their_size(ends):
    first, _, received, _ = ends
    sizes = [1, 100_000, 10, 5_000_000, 31_000, 33_000]
    for size in sizes:
        first.send(np.full(size, size % 251, np.uint8))
    for size in sizes:
        got = await asyncio.wait_for(received.get(), 60)
        assert got.shape == (size,)
        assert (got == size % 251).all()


async def test_more_than_the_socket_holds_waits_its_turn(ends):
    first, _, received, _ = ends
    for number in range(500):
        first.send((number, b"x" * 20_000))
    for number in range(500):
        assert (await asyncio.wait_for(received.get(), 60))[0] == number


async def test_the_end_of_one_is_told_to_the_other_and_leaves_no_descriptor(ends):
    before = len(os.listdir("/proc/self/fd"))
    first, second, _, lost = ends
    for _ in range(100):
        first.send(b"x" * 100_000)  # some of it stays in the queue
    second.close()
    await asyncio.wait_for(lost.wait(), 60)
    first.send("to nobody")
    assert len(os.listdir("/proc/self/fd")) == before - 2
