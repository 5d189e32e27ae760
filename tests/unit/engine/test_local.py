"""A device in this process, from the inside: what it costs, refuses and lets go."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from engines import CALL, CREATE, ON_SESSION, click, members_of, named, photo

from suresam.domain import Prediction, ResultError
from suresam.engine.cache import CacheLimits
from suresam.engine.frontend import Frontend
from suresam.engine.limits import EngineLimits
from suresam.engine.local import LocalDevice
from suresam.engine.scheduler import BatchLimits
from suresam.errors import DeadlineExceeded, InvalidImage, Overloaded, Superseded, WorkerFailed
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.images import ImageLimits

EMBEDDING_BYTES = 12


@pytest.fixture
def backbones():
    return FakeBackbone("fake-small"), FakeBackbone("fake-large")


@pytest.fixture
async def make(backbones, pool, telemetry, clock):
    made = []

    async def engine(cache=None, members=backbones, **limits):
        limits = EngineLimits(ImageLimits(), cache or CacheLimits(), BatchLimits(), **limits)
        device = LocalDevice(members_of(members), limits, pool, telemetry, clock)
        made.append(Frontend([device], limits, pool, telemetry, clock))
        made[-1].start()
        await made[-1].wait_ready()
        for backbone in backbones:
            backbone.launches.clear()
        return made[-1]

    yield engine
    for backbone in backbones:
        backbone.gate.set()
    for engine in made:
        await engine.close(0)


def device_of(engine):
    [device] = engine._devices
    return device


async def test_a_cached_image_costs_its_decode_only(make, monkeypatch):
    engine = await make()
    measured = {"encode": 30.0, "decode": 4.0}
    monkeypatch.setattr(device_of(engine)._costs, "row_ms", lambda stage, model: measured[stage])
    before = (await engine.segment(CALL)).marginal_cost_ms
    after = (await engine.segment(CALL)).marginal_cost_ms
    assert before == {"fake-small": 34.0, "fake-large": 34.0}
    assert after == {"fake-small": 4.0, "fake-large": 34.0}


class OneBadPrompt(FakeBackbone):
    """A NaN that belongs to the second prompt, not to its image as the fake's own do."""

    def decode(self, rows):
        decoded = super().decode(rows)
        decoded.low_res_logits[1:2] = np.nan
        return decoded


async def test_a_bad_prompt_row_is_an_error_of_its_own_only(make, backbones):
    bad = OneBadPrompt("fake-small")
    engine = await make(members=(bad, backbones[1]))
    reply = await engine.segment(replace(CALL, prompts=click(1, 2, 3)))
    assert reply.predictions[1] == ResultError(
        "non_finite_output", "the decoder's output is not finite"
    )
    assert isinstance(reply.predictions[0], Prediction)
    assert isinstance(reply.predictions[2], Prediction)
    assert reply.spent_ms[1] == 0


async def test_a_deadline_that_passes_drops_what_waits(make, backbones, turn, count):
    engine = await make()
    device_of(engine)._costs.__init__()  # a slow machine would refuse it at once
    backbones[0].gate.clear()
    front = asyncio.create_task(engine.segment(CALL))
    await turn(lambda: device_of(engine)._worker._held)
    with pytest.raises(DeadlineExceeded, match="not ready within the 50 ms that were left"):
        await engine.segment(replace(CALL, image=photo(20), remaining_ms=50))
    await turn(lambda: count("cancelled_total", stage="encode"))
    backbones[0].gate.set()
    await front
    assert backbones[0].launches == [("encode", 1), ("decode", 1)]


async def test_a_click_that_could_not_be_in_time_is_refused_at_once(make, backbones, turn, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    backbones[0].gate.clear()
    clicks = replace(ON_SESSION, session_id=session.session_id, prompts=click(*[1] * 16))
    inside = [asyncio.create_task(engine.segment(clicks)) for _ in range(3)]
    await turn(lambda: device_of(engine)._worker._scheduler.waiting()["decode", "fake-small"] == 32)
    for rows in (1, 16):
        device_of(engine)._costs.__init__()
        device_of(engine)._costs.record("decode", "fake-small", rows, 100.0 + rows)
    short = replace(clicks, prompts=click(1), remaining_ms=300.0)
    with pytest.raises(Overloaded, match="300 ms") as caught:
        await engine.segment(short)
    # 3 x 116 + 7.25 ms, less the 300 ms that were left.
    assert 0.1 <= caught.value.retry_after_s <= 0.13
    assert count("rejected_total", reason="wait") == 1
    backbones[0].gate.set()
    await asyncio.gather(*inside)
    await engine.segment(short)


def asked(session, *prompts):
    return replace(ON_SESSION, session_id=session.session_id, prompts=prompts)


async def held_by_a_click(engine, backbones, turn, session):
    """A click that the device works on, so that the next ones must queue."""
    backbones[0].gate.clear()
    front = asyncio.create_task(engine.segment(asked(session, named("front"))))
    await turn(lambda: [job for job in device_of(engine)._worker._held if job.reply.running()])
    return front


async def test_a_newer_click_takes_the_place_of_one_that_still_waits(make, backbones, turn, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held_by_a_click(engine, backbones, turn, session)
    waiting = device_of(engine)._worker._scheduler.waiting
    older = asyncio.create_task(engine.segment(asked(session, named("a", 1))))
    await turn(lambda: waiting()["decode", "fake-small"] == 1)
    newer = asyncio.create_task(engine.segment(asked(session, named("a", 2))))
    with pytest.raises(Superseded, match="newer request for the same prompt_id"):
        await older
    await turn(lambda: waiting()["decode", "fake-small"] == 1)
    backbones[0].gate.set()
    assert isinstance((await newer).predictions[0], Prediction)
    assert isinstance((await front).predictions[0], Prediction)
    assert backbones[0].launches.count(("decode", 1)) == 2
    assert count("cancelled_total", stage="decode") == 1
    assert device_of(engine)._clicks._clicks == {}


async def test_only_the_superseded_prompt_of_several_is_an_error(make, backbones, turn, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held_by_a_click(engine, backbones, turn, session)
    both = asyncio.create_task(engine.segment(asked(session, named("a"), named("b"))))
    await turn(lambda: device_of(engine)._worker._scheduler.waiting()["decode", "fake-small"] == 2)
    newer = asyncio.create_task(engine.segment(asked(session, named("a"))))
    await turn(lambda: count("cancelled_total", stage="decode"))
    backbones[0].gate.set()
    first, second = (await both).predictions
    assert first.code == "superseded"
    assert isinstance(second, Prediction)
    await asyncio.gather(front, newer)


async def test_a_click_that_waits_for_its_image_gives_way_without_losing_the_encode(
    make, backbones, turn
):
    engine = await make(cache=CacheLimits(embedding_bytes=EMBEDDING_BYTES))
    session = await engine.create_session(CREATE)
    await engine.segment(replace(CALL, image=photo(99)))  # drives the session's embedding out
    backbones[0].launches.clear()
    front = asyncio.create_task(engine.segment(replace(CALL, image=photo(50))))
    backbones[0].gate.clear()
    await turn(lambda: device_of(engine)._worker._held)
    older = asyncio.create_task(engine.segment(asked(session, named("a"))))
    await turn(lambda: device_of(engine)._worker._scheduler.waiting()["encode", "fake-small"])
    newer = asyncio.create_task(engine.segment(asked(session, named("a"))))
    with pytest.raises(Superseded):
        await older
    backbones[0].gate.set()
    assert isinstance((await newer).predictions[0], Prediction)
    await front
    assert backbones[0].launches.count(("encode", 1)) == 2


@pytest.mark.parametrize("prompts", [(None, None), ("a", "b")])
async def test_clicks_of_no_or_of_other_names_do_not_supersede(make, backbones, turn, prompts):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held_by_a_click(engine, backbones, turn, session)
    clicks = [asyncio.create_task(engine.segment(asked(session, named(p)))) for p in prompts]
    await turn(lambda: device_of(engine)._worker._scheduler.waiting()["decode", "fake-small"] == 2)
    backbones[0].gate.set()
    for answer in await asyncio.gather(front, *clicks):
        assert isinstance(answer.predictions[0], Prediction)


async def test_one_bad_image_of_a_session_calls_the_others_off(make, backbones, turn):
    engine = await make()
    backbones[0].gate.clear()
    front = asyncio.create_task(engine.segment(CALL))
    await turn(lambda: device_of(engine)._worker._held)
    with pytest.raises(InvalidImage):
        await engine.create_session(replace(CREATE, images=(photo(1), photo(2), b"text")))
    small = device_of(engine)._engines["fake-small"]
    await turn(lambda: len(small._encodes) == 1)
    await turn(lambda: not device_of(engine)._worker._scheduler.waiting())
    backbones[0].gate.set()
    await front
    assert backbones[0].launches == [("encode", 1), ("decode", 1)]


async def test_a_session_does_not_have_to_wait_for_its_own_images(make):
    """However long they take together: nobody else is there."""
    engine = await make()
    device_of(engine)._costs.__init__()
    device_of(engine)._costs.record("encode", "fake-small", 1, 60_000.0)
    session = await engine.create_session(CREATE)
    assert len(session.images) == 2


async def test_a_launch_that_hangs_does_not_hang_its_callers(make, backbones):
    engine = await make(launch_timeout_s=0.1)
    backbones[0].gate.clear()
    with pytest.raises(WorkerFailed, match=r"did not come back within 0\.\d s; try again"):
        await engine.segment(CALL)
    backbones[0].gate.set()
    assert isinstance((await engine.segment(CALL)).predictions[0], Prediction)


async def test_a_lost_device_is_told_to_whoever_runs_the_service(make, backbones):
    engine = await make(launch_timeout_s=0.1)
    with pytest.raises(WorkerFailed):
        await engine.segment(replace(CALL, image=photo(backbones[0].lost)))
    await asyncio.wait_for(engine.wait_lost(), 10)
    assert not engine.is_ready()
