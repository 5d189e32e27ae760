"""A device in this process, from the inside: what it costs, refuses and lets go."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from device import Turnstile, until
from engines import CALL, CREATE, LONG_MS, ON_SESSION, click, held, members_of, named, photo

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
BATCHES = BatchLimits(max_encode_ms=LONG_MS)
"""As many uploads share a launch on a slow machine as on a fast one."""


@pytest.fixture
def backbones():
    return FakeBackbone("fake-small"), FakeBackbone("fake-large")


@pytest.fixture
async def make(backbones, pool, telemetry, clock):
    made = []

    async def engine(cache=None, members=backbones, **limits):
        limits = EngineLimits(ImageLimits(), cache or CacheLimits(), BATCHES, **limits)
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


async def test_an_image_that_the_host_has_costs_its_decode_only(make, monkeypatch, backbones):
    engine = await make(cache=CacheLimits(EMBEDDING_BYTES, host_bytes=2 * EMBEDDING_BYTES))
    measured = {"encode": 30.0, "decode": 4.0}
    monkeypatch.setattr(device_of(engine)._costs, "row_ms", lambda stage, model: measured[stage])
    await engine.segment(CALL)
    await engine.segment(replace(CALL, image=photo(99)))
    backbones[0].launches.clear()
    again = await engine.segment(CALL)
    assert again.marginal_cost_ms["fake-small"] == 4.0
    assert backbones[0].launches == [("decode", 1)]


async def test_receipts_of_all_who_share_an_encode_add_up_to_what_was_spent(
    make, backbones, monkeypatch
):
    engine = await make()
    spent = []
    record = device_of(engine)._costs.record
    monkeypatch.setattr(
        device_of(engine)._costs,
        "record",
        lambda *launch: (spent.append(launch[-1]), record(*launch)),
    )
    backbones[0].gate.clear()
    calls = [replace(CALL, prompts=click(1, 2)), CALL, CALL]
    requests = [asyncio.create_task(engine.segment(call)) for call in calls]
    await until(lambda: device_of(engine)._engines["fake-small"]._encodes)
    [shared] = device_of(engine)._engines["fake-small"]._encodes.values()
    await until(lambda: shared.num_waiting == 4)
    backbones[0].gate.set()
    replies = await asyncio.gather(*requests)
    assert backbones[0].launches[0] == ("encode", 1)
    assert sum(ms for reply in replies for ms in reply.spent_ms) == pytest.approx(sum(spent))
    assert {reply.timings_ms.encode for reply in replies} == {spent[0]}


async def test_who_joins_a_queued_encode_is_told_how_long_that_waits(make, backbones):
    """A click on a cached image would pass the uploads that wait; this one cannot."""
    engine = await make(max_in_flight=20)
    await engine.segment(CALL)
    uploads = [replace(CALL, image=photo(red)) for red in range(20, 30)]
    front = await held(engine, backbones[0], uploads[0])
    inside = [asyncio.create_task(engine.segment(call)) for call in uploads[1:]]
    worker = device_of(engine)._worker
    await until(lambda: worker._scheduler.waiting()["encode", "fake-small"] == 9)
    device_of(engine)._costs.__init__()
    for rows in (1, 4):
        device_of(engine)._costs.record("encode", "fake-small", rows, 100.0 * rows)
        device_of(engine)._costs.record("decode", "fake-small", rows, 1.0)
    last = replace(uploads[-1], remaining_ms=900.0)
    with pytest.raises(Overloaded, match="waiting for others"):
        await engine.segment(last)
    cached = asyncio.create_task(engine.segment(replace(CALL, remaining_ms=900.0)))
    await until(lambda: worker._scheduler.waiting()["decode", "fake-small"] == 1)
    backbones[0].gate.set()
    await asyncio.gather(front, cached, *inside)


async def test_each_prompt_that_is_answered_leaves_the_backlog(make, backbones):
    gate = backbones[0].gate = Turnstile()
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held(engine, backbones[0], asked(session, named("front")))
    call = replace(ON_SESSION, session_id=session.session_id, prompts=click(*[1] * 20))
    request = asyncio.create_task(engine.segment(call))
    key = ("decode", "fake-small")
    await until(lambda: device_of(engine)._worker._scheduler.waiting()[key] == 20)
    for left in (21, 20, 4):  # a launch has 16 rows at most
        await until(lambda left=left: device_of(engine)._admission._backlog._all()[key] == left)
        gate.let(1)
    await asyncio.gather(front, request)
    assert not device_of(engine)._admission._backlog._tenants


async def test_an_image_that_is_embedded_leaves_the_backlog_before_its_session_is_complete(
    make, backbones
):
    gate = backbones[0].gate = Turnstile()
    engine = await make()
    gate.clear()
    entered = backbones[0].num_entered
    one = replace(CREATE, session_id="one", images=(photo(50),))
    front = asyncio.create_task(engine.create_session(one))
    await until(lambda: backbones[0].num_entered > entered)
    files = tuple(photo(red) for red in (1, 2, 2, 3, 4, 5, 6))
    creating = asyncio.create_task(engine.create_session(replace(CREATE, images=files)))
    key = ("encode", "fake-small")
    await until(lambda: device_of(engine)._worker._scheduler.waiting()[key] == 6)
    for left in (7, 6, 2):  # a launch has four at most
        await until(lambda left=left: device_of(engine)._admission._backlog._all()[key] == left)
        gate.let(1)
    await asyncio.gather(front, creating)
    assert not device_of(engine)._admission._backlog._tenants


class OneBadPrompt(FakeBackbone):
    """A NaN that belongs to the second prompt, not to its image as the fake's own do."""

    def decode(self, rows):
        decoded = super().decode(rows)
        decoded.low_res_logits[1:2] = np.nan
        return decoded


async def test_a_bad_prompt_row_is_an_error_of_its_own_only(make, backbones):
    bad = OneBadPrompt("fake-small")
    engine = await make(members=(bad, backbones[1]))
    await engine.segment(CALL)
    front = await held(engine, bad, replace(CALL, image=photo(50)))
    asking = asyncio.create_task(engine.segment(replace(CALL, prompts=click(1, 2, 3))))
    await until(lambda: device_of(engine)._worker._scheduler.waiting()["decode", "fake-small"] == 3)
    bad.gate.set()
    _, reply = await asyncio.gather(front, asking)
    assert reply.predictions[1] == ResultError(
        "non_finite_output", "the decoder's output is not finite"
    )
    assert isinstance(reply.predictions[0], Prediction)
    assert isinstance(reply.predictions[2], Prediction)
    assert reply.spent_ms[1] > 0  # its share of the launch


async def test_a_deadline_that_passes_drops_what_waits(make, backbones, count):
    engine = await make()
    device_of(engine)._costs.__init__()  # a slow machine would refuse it at once
    front = await held(engine, backbones[0])
    with pytest.raises(DeadlineExceeded, match="not ready within the 900 ms that were left"):
        await engine.segment(replace(CALL, image=photo(20), remaining_ms=900))
    await until(lambda: count("cancelled_total", stage="encode"))
    backbones[0].gate.set()
    await front
    assert backbones[0].launches == [("encode", 1), ("decode", 1)]


async def test_a_click_that_could_not_be_in_time_is_refused_at_once(make, backbones, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    backbones[0].gate.clear()
    clicks = replace(ON_SESSION, session_id=session.session_id, prompts=click(*[1] * 16))
    inside = [asyncio.create_task(engine.segment(clicks)) for _ in range(3)]
    await until(
        lambda: device_of(engine)._worker._scheduler.waiting()["decode", "fake-small"] >= 32
    )
    for rows in (1, 16):
        device_of(engine)._costs.__init__()
        device_of(engine)._costs.record("decode", "fake-small", rows, 100.0 + rows)
    short = replace(clicks, prompts=click(1), remaining_ms=300.0)
    with pytest.raises(Overloaded, match=r"until the deadline \d+ ms") as caught:
        await engine.segment(short)
    # 3 x 116 + 7.25 ms, less the device's share of the nearly 300 ms that were left.
    assert 0.115 <= caught.value.retry_after_s <= 0.5
    assert count("rejected_total", reason="wait") == 1
    backbones[0].gate.set()
    await asyncio.gather(*inside)
    device_of(engine)._costs.__init__()  # whatever the held launch took
    await engine.segment(replace(short, remaining_ms=LONG_MS))
    assert not device_of(engine)._admission._backlog._tenants


def asked(session, *prompts):
    return replace(ON_SESSION, session_id=session.session_id, prompts=prompts)


async def test_a_newer_click_takes_the_place_of_one_that_still_waits(make, backbones, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held(engine, backbones[0], asked(session, named("front")))
    waiting = device_of(engine)._worker._scheduler.waiting
    older = asyncio.create_task(engine.segment(asked(session, named("a", 1))))
    await until(lambda: waiting()["decode", "fake-small"] == 1)
    newer = asyncio.create_task(engine.segment(asked(session, named("a", 2))))
    with pytest.raises(Superseded, match="newer request for the same prompt_id"):
        await older
    await until(lambda: waiting()["decode", "fake-small"] == 1)
    backbones[0].gate.set()
    assert isinstance((await newer).predictions[0], Prediction)
    assert isinstance((await front).predictions[0], Prediction)
    assert backbones[0].launches.count(("decode", 1)) == 2
    assert count("cancelled_total", stage="decode") == 1
    assert device_of(engine)._clicks._clicks == {}


async def test_the_second_step_of_an_older_click_does_not_drive_out_a_newer_one(make, backbones):
    """It came in while a smaller member answered the older one."""
    engine = await make()
    session = await engine.create_session(CREATE)
    newer = await held(engine, backbones[0], asked(session, named("a")))
    older = replace(asked(session, named("a")), model="fake-large", is_escalation=True)
    with pytest.raises(Superseded):
        await engine.segment(older)
    backbones[0].gate.set()
    assert isinstance((await newer).predictions[0], Prediction)
    assert backbones[1].launches == []


async def test_only_the_superseded_prompt_of_several_is_an_error(make, backbones, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held(engine, backbones[0], asked(session, named("front")))
    both = asyncio.create_task(engine.segment(asked(session, named("a"), named("b"))))
    await until(lambda: device_of(engine)._worker._scheduler.waiting()["decode", "fake-small"] == 2)
    newer = asyncio.create_task(engine.segment(asked(session, named("a"))))
    await until(lambda: count("cancelled_total", stage="decode"))
    backbones[0].gate.set()
    first, second = (await both).predictions
    assert first.code == "superseded"
    assert isinstance(second, Prediction)
    await asyncio.gather(front, newer)


async def test_a_click_that_waits_for_its_image_gives_way_without_losing_the_encode(
    make, backbones
):
    engine = await make(cache=CacheLimits(embedding_bytes=EMBEDDING_BYTES))
    session = await engine.create_session(CREATE)
    await engine.segment(replace(CALL, image=photo(99)))  # drives the session's embedding out
    backbones[0].launches.clear()
    front = await held(engine, backbones[0], replace(CALL, image=photo(50)))
    older = asyncio.create_task(engine.segment(asked(session, named("a"))))
    await until(lambda: device_of(engine)._worker._scheduler.waiting()["encode", "fake-small"])
    newer = asyncio.create_task(engine.segment(asked(session, named("a"))))
    with pytest.raises(Superseded):
        await older
    backbones[0].gate.set()
    assert isinstance((await newer).predictions[0], Prediction)
    await front
    assert backbones[0].launches.count(("encode", 1)) == 2


@pytest.mark.parametrize("prompts", [(None, None), ("a", "b")])
async def test_clicks_of_no_or_of_other_names_do_not_supersede(make, backbones, prompts):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held(engine, backbones[0], asked(session, named("front")))
    clicks = [asyncio.create_task(engine.segment(asked(session, named(p)))) for p in prompts]
    await until(lambda: device_of(engine)._worker._scheduler.waiting()["decode", "fake-small"] == 2)
    backbones[0].gate.set()
    for answer in await asyncio.gather(front, *clicks):
        assert isinstance(answer.predictions[0], Prediction)


async def test_one_bad_image_of_a_session_calls_the_others_off(make, backbones):
    engine = await make()
    front = await held(engine, backbones[0])
    with pytest.raises(InvalidImage):
        await engine.create_session(replace(CREATE, images=(photo(1), photo(2), b"text")))
    small = device_of(engine)._engines["fake-small"]
    await until(lambda: len(small._encodes) == 1)
    await until(lambda: not device_of(engine)._worker._scheduler.waiting())
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
    await asyncio.wait_for(engine.wait_lost(), 60)
    assert not engine.is_ready()
