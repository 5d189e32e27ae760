import asyncio

import pytest
from device import until

from suresam.errors import Overloaded
from suresam.routing.shadow.watched import WatchedEngine


class Engine:
    """Answers a call with itself as soon as it is let."""

    def __init__(self):
        self.inside = []
        self.may_answer = asyncio.Event()
        self.num_cancelled = 0

    async def segment(self, call):
        self.inside.append(call)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.num_cancelled += 1
            raise
        finally:
            self.inside.remove(call)
        if isinstance(call, Exception):
            raise call
        return call

    create_session = add_image = segment


async def test_it_is_quiet_from_the_moment_that_the_last_caller_left(clock):
    engine = Engine()
    watched = WatchedEngine(engine, clock)
    clock.now = 103.0
    assert watched.quiet_s() == 3.0
    callers = [
        asyncio.create_task(ask("x"))
        for ask in (watched.segment, watched.create_session, watched.add_image)
    ]
    await until(lambda: len(engine.inside) == 3)
    clock.now = 105.0
    assert watched.quiet_s() == 0.0
    engine.may_answer.set()
    assert await asyncio.gather(*callers) == ["x"] * 3
    clock.now = 107.0
    assert watched.quiet_s() == 2.0


@pytest.mark.parametrize("caller", ["segment", "create_session", "add_image"])
async def test_a_question_gives_way_to_whoever_comes(clock, caller):
    engine = Engine()
    watched = WatchedEngine(engine, clock)
    question = asyncio.create_task(watched.ask_aside("question"))
    await until(lambda: engine.inside == ["question"])
    call = asyncio.create_task(getattr(watched, caller)("call"))
    await until(lambda: "call" in engine.inside)
    assert engine.inside == ["call"]  # the question had left before the caller came in
    assert await question is None
    engine.may_answer.set()
    assert await call == "call"


async def test_a_question_is_answered_where_nobody_comes(clock):
    engine = Engine()
    watched = WatchedEngine(engine, clock)
    engine.may_answer.set()
    assert await watched.ask_aside("question") == "question"
    with pytest.raises(Overloaded):
        await watched.ask_aside(Overloaded("full"))
    assert await watched.ask_aside("again") == "again"


async def test_nothing_is_asked_while_somebody_is_inside(clock):
    engine = Engine()
    watched = WatchedEngine(engine, clock)
    caller = asyncio.create_task(watched.segment("call"))
    await until(lambda: engine.inside == ["call"])
    assert await watched.ask_aside("question") is None
    assert engine.num_cancelled == 0
    engine.may_answer.set()
    await caller


async def test_who_asks_and_is_cancelled_takes_the_question_along(clock):
    engine = Engine()
    watched = WatchedEngine(engine, clock)
    question = asyncio.create_task(watched.ask_aside("question"))
    await until(lambda: engine.inside == ["question"])
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    assert engine.inside == []


async def test_a_caller_who_fails_or_hangs_up_is_gone_all_the_same(clock):
    engine = Engine()
    watched = WatchedEngine(engine, clock)
    failing = asyncio.create_task(watched.segment(Overloaded("full")))
    leaving = asyncio.create_task(watched.segment("call"))
    await until(lambda: len(engine.inside) == 2)
    leaving.cancel()
    engine.may_answer.set()
    await asyncio.gather(failing, leaving, return_exceptions=True)
    clock.now = 101.0
    assert watched.quiet_s() == 1.0
