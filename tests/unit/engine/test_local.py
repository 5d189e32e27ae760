import asyncio
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from suresam.domain import ImageSize, Point, Prediction, Prompt, ResultError
from suresam.engine.cache import CacheLimits
from suresam.engine.client import AddImageCall, CreateSessionCall, SegmentCall
from suresam.engine.local import EngineLimits, LocalEngine, Member
from suresam.engine.scheduler import BatchLimits
from suresam.errors import (
    DeadlineExceeded,
    ImageNotFound,
    ImageTooLarge,
    InvalidImage,
    InvalidPrompt,
    InvalidRequest,
    NotReady,
    Overloaded,
    SessionExists,
    SessionNotFound,
    ShuttingDown,
    Superseded,
    UnknownModel,
    WorkerFailed,
)
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.images import ImageLimits

LONG_MS = 60_000
EMBEDDING_BYTES = 12


def photo(red=10, size=(8, 6)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def click(*xs):
    return tuple(Prompt(points=[Point(x, 1)]) for x in xs)


CALL = SegmentCall("t", "fake-small", click(1), LONG_MS, image=photo())


@pytest.fixture
def backbones():
    return FakeBackbone("fake-small"), FakeBackbone("fake-large")


@pytest.fixture
async def make(backbones, pool, telemetry, clock):
    made = []

    async def engine(cache=None, max_in_flight=8, images=None, members=backbones):
        limits = EngineLimits(
            images or ImageLimits(), cache or CacheLimits(), BatchLimits(), max_in_flight
        )
        members = [
            Member(backbone, (role,), "0" * 64, "none")
            for backbone, role in zip(members, ("small", "large"), strict=True)
        ]
        made.append(LocalEngine(members, limits, pool, telemetry, clock))
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


async def test_an_upload_is_encoded_once_and_every_prompt_answered(make, backbones):
    engine = await make()
    reply = await engine.segment(replace(CALL, prompts=click(1, 2, 7)))
    assert reply.size == ImageSize(8, 6)
    assert [type(p) for p in reply.predictions] == [Prediction] * 3
    assert reply.predictions[0].mask(0).shape == (6, 8)
    assert reply.warnings == ()
    assert backbones[0].launches == [("encode", 1), ("decode", 3)]
    assert backbones[1].launches == []
    assert len(reply.spent_ms) == 3
    assert set(reply.marginal_cost_ms) == {"fake-small", "fake-large"}


async def test_the_same_file_is_not_encoded_again_for_its_tenant_alone(make, backbones):
    engine = await make()
    await engine.segment(CALL)
    again = await engine.segment(CALL)
    assert again.timings_ms.encode == 0
    assert backbones[0].launches.count(("encode", 1)) == 1
    await engine.segment(replace(CALL, tenant="other"))
    assert backbones[0].launches.count(("encode", 1)) == 2


async def test_a_cached_image_costs_its_decode_only(make, monkeypatch):
    engine = await make()
    measured = {"encode": 30.0, "decode": 4.0}
    monkeypatch.setattr(engine._costs, "row_ms", lambda stage, model: measured[stage])
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


@pytest.mark.parametrize(
    ("kind", "code"), [("poison", "inference_failed"), ("nan", "non_finite_output")]
)
async def test_a_failing_image_is_no_error_of_its_neighbours(make, backbones, kind, code):
    engine = await make()
    bad = replace(CALL, image=photo(getattr(backbones[0], kind)))
    replies = await asyncio.gather(*(engine.segment(c) for c in (CALL, bad, CALL)))
    codes = [getattr(r.predictions[0], "code", None) for r in replies]
    assert codes == [None, code, None]


async def test_the_death_of_the_worker_is_an_error_and_the_next_call_is_answered(make, backbones):
    engine = await make()
    with pytest.raises(WorkerFailed):
        await engine.segment(replace(CALL, image=photo(backbones[0].deadly)))
    assert isinstance((await engine.segment(CALL)).predictions[0], Prediction)


async def test_a_deadline_that_passes_drops_what_waits(make, backbones, turn, count):
    engine = await make()
    engine._costs.__init__()  # a slow machine would refuse it at once
    backbones[0].gate.clear()
    front = asyncio.create_task(engine.segment(CALL))
    await turn(lambda: engine._worker._held)
    with pytest.raises(DeadlineExceeded, match="not ready within the 50 ms that were left"):
        await engine.segment(replace(CALL, image=photo(20), remaining_ms=50))
    await turn(lambda: count("cancelled_total", stage="encode"))
    backbones[0].gate.set()
    await front
    assert backbones[0].launches == [("encode", 1), ("decode", 1)]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "nobody"}, UnknownModel),
        ({"prompts": click(8)}, InvalidPrompt),
        ({"image": b"text"}, InvalidImage),
        ({"image": b""}, InvalidImage),
        ({"image": photo(size=(101, 1))}, ImageTooLarge),
        ({"image": None, "session_id": "s"}, SessionNotFound),
    ],
)
async def test_a_call_that_cannot_be_answered_reaches_no_device(make, backbones, change, error):
    engine = await make(images=ImageLimits(max_side=100))
    with pytest.raises(error):
        await engine.segment(replace(CALL, **change))
    assert backbones[0].launches == []


async def test_a_click_that_could_not_be_in_time_is_refused_at_once(make, backbones, turn, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    backbones[0].gate.clear()
    clicks = replace(ON_SESSION, session_id=session.session_id, prompts=click(*[1] * 16))
    inside = [asyncio.create_task(engine.segment(clicks)) for _ in range(3)]
    await turn(lambda: engine._worker._scheduler.waiting()["decode", "fake-small"] == 32)
    for rows in (1, 16):
        engine._costs.__init__()
        engine._costs.record("decode", "fake-small", rows, 100.0 + rows)
    short = replace(clicks, prompts=click(1), remaining_ms=300.0)
    with pytest.raises(Overloaded, match="300 ms") as caught:
        await engine.segment(short)
    # 3 x 116 + 7.25 ms, less the device's share of the 300 ms that were left, which is 240.
    assert 0.115 <= caught.value.retry_after_s <= 0.139
    assert count("rejected_total", reason="wait") == 1
    backbones[0].gate.set()
    await asyncio.gather(*inside)
    await engine.segment(short)


def asked(session, *prompts):
    return replace(ON_SESSION, session_id=session.session_id, prompts=prompts)


def named(prompt_id, x=1):
    return Prompt(points=[Point(x, 1)], prompt_id=prompt_id)


async def held_by_a_click(engine, backbones, turn, session):
    """A click that the device works on, so that the next ones must queue."""
    backbones[0].gate.clear()
    front = asyncio.create_task(engine.segment(asked(session, named("front"))))
    await turn(lambda: [job for job in engine._worker._held if job.reply.running()])
    return front


async def test_a_newer_click_takes_the_place_of_one_that_still_waits(make, backbones, turn, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held_by_a_click(engine, backbones, turn, session)
    waiting = engine._worker._scheduler.waiting
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
    assert engine._clicks._clicks == {}


async def test_a_click_on_the_device_is_answered_although_a_newer_one_came(make, backbones, turn):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held_by_a_click(engine, backbones, turn, session)
    newer = asyncio.create_task(engine.segment(asked(session, named("front", 2))))
    await turn(lambda: engine._worker._scheduler.waiting())
    backbones[0].gate.set()
    for answer in await asyncio.gather(front, newer):
        assert isinstance(answer.predictions[0], Prediction)


async def test_only_the_superseded_prompt_of_several_is_an_error(make, backbones, turn, count):
    engine = await make()
    session = await engine.create_session(CREATE)
    front = await held_by_a_click(engine, backbones, turn, session)
    both = asyncio.create_task(engine.segment(asked(session, named("a"), named("b"))))
    await turn(lambda: engine._worker._scheduler.waiting()["decode", "fake-small"] == 2)
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
    await turn(lambda: engine._worker._held)
    older = asyncio.create_task(engine.segment(asked(session, named("a"))))
    await turn(lambda: engine._worker._scheduler.waiting()["encode", "fake-small"])
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
    await turn(lambda: engine._worker._scheduler.waiting()["decode", "fake-small"] == 2)
    backbones[0].gate.set()
    for answer in await asyncio.gather(front, *clicks):
        assert isinstance(answer.predictions[0], Prediction)


async def test_one_more_than_the_limit_is_refused(make, backbones, turn):
    engine = await make(max_in_flight=1)
    backbones[0].gate.clear()
    first = asyncio.create_task(engine.segment(CALL))
    await turn(lambda: engine._worker._held)
    with pytest.raises(Overloaded):
        await engine.segment(CALL)
    backbones[0].gate.set()
    await first
    await engine.segment(CALL)


async def test_nobody_is_served_before_the_start_or_after_the_end(make, backbones, pool, telemetry):
    limits = EngineLimits(ImageLimits(), CacheLimits(), BatchLimits())
    cold = LocalEngine([Member(backbones[0], ("small",), "", "")], limits, pool, telemetry)
    with pytest.raises(NotReady):
        await cold.segment(CALL)
    with pytest.raises(NotReady, match="warming up the models failed"):
        await cold.wait_ready()
    engine = await make()
    await engine.close(0)
    assert not engine.is_ready()
    with pytest.raises(ShuttingDown):
        await engine.segment(CALL)


async def test_closing_waits_for_those_inside(make, backbones, turn):
    engine = await make()
    backbones[0].gate.clear()
    inside = asyncio.create_task(engine.segment(CALL))
    await turn(lambda: engine._worker._held)
    closing = asyncio.create_task(engine.close(60))
    await asyncio.sleep(0)
    backbones[0].gate.set()
    assert isinstance((await inside).predictions[0], Prediction)
    await closing


CREATE = CreateSessionCall("t", "fake-small", (photo(1), photo(2)), LONG_MS, "s")
ON_SESSION = SegmentCall("t", "fake-small", click(1), LONG_MS, session_id="s")


async def test_clicks_on_a_session_cost_no_encode(make, backbones):
    engine = await make()
    session = await engine.create_session(CREATE)
    assert session.session_id == "s"
    assert [(i.width, i.height) for i in session.images] == [(8, 6)] * 2
    backbones[0].launches.clear()
    first = await engine.segment(ON_SESSION)
    second = await engine.segment(replace(ON_SESSION, image_id=session.images[1].image_id))
    assert backbones[0].launches == [("decode", 1)] * 2
    ious = [r.predictions[0].predicted_iou[0] for r in (first, second)]
    assert ious == pytest.approx([0.401, 0.402])


async def test_a_session_is_encoded_again_after_its_embedding_was_evicted(make, backbones):
    engine = await make(cache=CacheLimits(embedding_bytes=EMBEDDING_BYTES))
    await engine.create_session(replace(CREATE, images=(photo(1),)))
    await engine.segment(replace(CALL, image=photo(2)))
    backbones[0].launches.clear()
    reply = await engine.segment(ON_SESSION)
    assert backbones[0].launches == [("encode", 1), ("decode", 1)]
    assert reply.predictions[0].predicted_iou[0] == pytest.approx(0.401)


async def test_another_member_embeds_a_session_when_it_is_asked(make, backbones):
    engine = await make()
    await engine.create_session(CREATE)
    await engine.segment(replace(ON_SESSION, model="fake-large"))
    assert backbones[1].launches == [("encode", 1), ("decode", 1)]


async def test_a_session_grows_and_goes(make):
    engine = await make(cache=CacheLimits(max_session_images=3))
    await engine.create_session(CREATE)
    add = AddImageCall("t", "fake-small", "s", photo(3), LONG_MS)
    added = await engine.add_image(add)
    assert added == (await engine.get_session("t", "s")).images[2]
    with pytest.raises(InvalidRequest, match="4 images"):
        await engine.add_image(add)
    await engine.delete_session("t", "s")
    for gone in (engine.get_session("t", "s"), engine.segment(ON_SESSION), engine.add_image(add)):
        with pytest.raises(SessionNotFound):
            await gone


async def test_a_session_belongs_to_its_tenant(make):
    engine = await make()
    await engine.create_session(CREATE)
    with pytest.raises(SessionNotFound):
        await engine.segment(replace(ON_SESSION, tenant="other"))
    with pytest.raises(ImageNotFound):
        await engine.segment(replace(ON_SESSION, image_id="nothing"))


async def test_of_two_who_choose_one_id_at_a_time_one_gets_it(make):
    engine = await make()
    answers = await asyncio.gather(
        *(engine.create_session(CREATE) for _ in range(2)), return_exceptions=True
    )
    assert sum(isinstance(a, SessionExists) for a in answers) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"images": ()}, InvalidRequest),
        ({"images": (photo(),) * 17}, InvalidRequest),
        ({"session_id": "a b"}, InvalidRequest),
        ({"images": (photo(), b"text")}, InvalidImage),
    ],
)
async def test_a_refused_session_leaves_nothing_behind(make, change, error):
    engine = await make()
    with pytest.raises(error):
        await engine.create_session(replace(CREATE, **change))
    with pytest.raises(SessionNotFound):
        await engine.get_session("t", "s")


async def test_one_bad_image_of_a_session_calls_the_others_off(make, backbones, turn):
    engine = await make()
    backbones[0].gate.clear()
    front = asyncio.create_task(engine.segment(CALL))
    await turn(lambda: engine._worker._held)
    with pytest.raises(InvalidImage):
        await engine.create_session(replace(CREATE, images=(photo(1), photo(2), b"text")))
    small = engine._engines["fake-small"]
    await turn(lambda: len(small._encodes) == 1)
    await turn(lambda: not engine._worker._scheduler.waiting())
    backbones[0].gate.set()
    await front
    assert backbones[0].launches == [("encode", 1), ("decode", 1)]


async def test_a_session_does_not_have_to_wait_for_its_own_images(make):
    """However long they take together: nobody else is there."""
    engine = await make()
    engine._costs.__init__()
    engine._costs.record("encode", "fake-small", 1, 60_000.0)
    session = await engine.create_session(CREATE)
    assert len(session.images) == 2


async def test_a_session_expires(make, clock):
    engine = await make(cache=CacheLimits(ttl_s=60))
    await engine.create_session(CREATE)
    clock.now += 60
    with pytest.raises(SessionNotFound, match="expired"):
        await engine.segment(ON_SESSION)


async def test_the_members_are_described_cheapest_first(make):
    small, large = await (await make()).models()
    assert (small.name, small.roles, small.device) == ("fake-small", ("small",), "fake")
    assert (large.name, large.roles, large.dtype) == ("fake-large", ("large",), "float32")
    assert set(small.cost_ms) == {"encode", "decode"}
    assert small.sha256 == "0" * 64
