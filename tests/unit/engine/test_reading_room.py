import asyncio
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from device import until

from suresam.engine.reading_room import ReadingRoom


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as threads:
        yield threads


class Desk:
    """Somebody who reads when told to, and then uses what was read until told to leave."""

    def __init__(self, room, tenant="t", num_pixels=1, deadline=math.inf):
        self.may_read = threading.Event()
        self.may_leave = asyncio.Event()
        self.is_reading = self.has_read = False
        self.task = asyncio.create_task(self._sit(room, tenant, num_pixels, deadline))

    def work(self):
        self.is_reading = True
        self.may_read.wait()
        return 7

    async def _sit(self, room, tenant, num_pixels, deadline):
        async with room.read(tenant, deadline, num_pixels, self.work) as value:
            assert value == 7
            self.has_read = True
            await self.may_leave.wait()

    async def read(self):
        self.may_read.set()
        await until(lambda: self.has_read)

    async def leave(self):
        await self.read()
        self.may_leave.set()
        await self.task


async def turn():
    """Whatever can go on now has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_so_many_read_at_a_time(pool):
    room = ReadingRoom(pool, 2, 100)
    first, second, third = (Desk(room) for _ in range(3))
    await until(lambda: first.is_reading and second.is_reading)
    await turn()
    assert not third.task.done()
    assert room.num_pixels == 2
    await first.read()  # who uses its pixels needs no place
    await until(lambda: third.is_reading)
    for desk in (first, second, third):
        await desk.leave()
    assert room.num_pixels == 0


async def test_pixels_count_until_nobody_uses_them(pool):
    room = ReadingRoom(pool, 4, 100)
    first, second = Desk(room, "a", num_pixels=60), Desk(room, "b", num_pixels=40)
    third = Desk(room, "c", num_pixels=1)
    await first.read()
    await second.read()
    await turn()
    assert room.num_pixels == 100
    assert not third.is_reading
    await first.leave()
    await until(lambda: third.is_reading)
    assert room.num_pixels == 41
    await second.leave()
    await third.leave()


async def test_one_alone_may_have_more_pixels_than_all_together(pool):
    room = ReadingRoom(pool, 4, 100)
    large, small = Desk(room, "a", num_pixels=101), Desk(room, "b", num_pixels=1)
    await large.read()
    await turn()
    assert not small.is_reading
    await large.leave()
    await small.leave()


async def test_one_tenant_has_half_of_the_pixels_and_others_go_by(pool):
    room = ReadingRoom(pool, 4, 100)
    hostile = [Desk(room, "hostile", num_pixels=25) for _ in range(4)]
    await hostile[0].read()
    await hostile[1].read()
    other = Desk(room, "other", num_pixels=50)
    await other.read()
    assert not hostile[2].is_reading
    hostile[3].task.cancel()
    await asyncio.wait({hostile[3].task})
    await hostile[0].leave()
    await other.leave()
    await until(lambda: hostile[2].is_reading)
    await hostile[1].leave()
    await hostile[2].leave()
    assert room.num_pixels == 0


async def test_nobody_waits_behind_another_tenants_row(pool):
    room = ReadingRoom(pool, 1, 100)
    hostile = [Desk(room, "hostile") for _ in range(5)]
    await until(lambda: hostile[0].is_reading)
    await asyncio.sleep(0.002)  # what it costs is what counts
    other = Desk(room, "other")
    await turn()
    await hostile[0].leave()
    await until(lambda: other.is_reading)
    assert not any(desk.is_reading for desk in hostile[1:])
    await other.leave()
    for desk in hostile[1:]:
        await desk.leave()


async def test_of_one_tenants_pictures_the_most_urgent_is_first(pool):
    room = ReadingRoom(pool, 1, 100)
    running, later, sooner = (Desk(room, deadline=end) for end in (5, 9, 8))
    await running.leave()
    await until(lambda: sooner.is_reading)
    assert not later.is_reading
    await sooner.leave()
    await later.leave()


async def test_who_leaves_before_its_turn_is_never_read(pool):
    room = ReadingRoom(pool, 1, 100)
    running, gone, last = (Desk(room) for _ in range(3))
    await until(lambda: running.is_reading)
    gone.task.cancel()
    await asyncio.wait({gone.task})
    await running.leave()
    await last.leave()
    assert not gone.is_reading
    assert room.num_pixels == 0


async def test_who_leaves_while_it_is_let_in_takes_no_place(pool):
    room = ReadingRoom(pool, 1, 100)
    gone = Desk(room)
    await asyncio.sleep(0)  # the ticket is let in, its task does not know yet
    gone.task.cancel()
    await asyncio.wait({gone.task})
    gone.may_read.set()
    await Desk(room).leave()
    await until(lambda: room.num_pixels == 0)


async def test_who_leaves_while_it_is_read_keeps_its_place_and_pixels_until_it_is_done(pool):
    room = ReadingRoom(pool, 1, 100)
    gone, last = Desk(room, num_pixels=60), Desk(room, num_pixels=60)
    await until(lambda: gone.is_reading)
    gone.task.cancel()
    await asyncio.wait({gone.task})
    await turn()
    assert room.num_pixels == 60
    assert not last.is_reading
    gone.may_read.set()
    await last.leave()
    assert room.num_pixels == 0


async def test_an_error_is_the_callers_and_frees_its_place(pool):
    room = ReadingRoom(pool, 1, 100)
    with pytest.raises(ZeroDivisionError):
        async with room.read("t", math.inf, 50, lambda: 1 // 0):
            pass
    await Desk(room, num_pixels=100).leave()
    assert room.num_pixels == 0
