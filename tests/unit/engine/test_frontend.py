"""What an engine promises at its one door, whether its device is in this process or another."""

import asyncio
import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from engines import (
    CALL,
    CREATE,
    LONG_MS,
    ON_SESSION,
    SharedFake,
    click,
    held,
    members_of,
    named,
    photo,
)
from PIL import Image

from suresam.domain import ImageSize, Prediction
from suresam.engine.cache import CacheLimits
from suresam.engine.client import AddImageCall
from suresam.engine.frontend import Frontend
from suresam.engine.limits import EngineLimits
from suresam.engine.local import LocalDevice
from suresam.engine.process.device import ProcessDevice
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

EMBEDDING_BYTES = 12


@pytest.fixture(params=["local", "process"])
def place(request):
    return request.param


@pytest.fixture
def backbones(place):
    make = FakeBackbone if place == "local" else SharedFake
    return make("fake-small"), make("fake-large")


@pytest.fixture
async def make(place, backbones, pool, telemetry, clock):
    made = []

    async def engine(cache=None, max_in_flight=8, images=None, start=True):
        limits = EngineLimits(
            images or ImageLimits(), cache or CacheLimits(), BatchLimits(), max_in_flight
        )
        if place == "local":
            device = LocalDevice(members_of(backbones), limits, pool, telemetry, clock)
        else:
            device = ProcessDevice(partial(members_of, backbones), limits)
        made.append(Frontend([device], limits, pool, telemetry, clock))
        if start:
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
    encode, *decodes = backbones[0].launches
    assert encode == ("encode", 1)
    assert {stage for stage, _ in decodes} == {"decode"}
    assert sum(rows for _, rows in decodes) == 3
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


async def test_a_newer_click_takes_the_place_of_one_that_still_waits(make, backbones):
    engine = await make()
    await engine.create_session(CREATE)
    front = await held(engine, backbones[0], replace(ON_SESSION, prompts=(named("front"),)))
    older, newer = (
        asyncio.create_task(engine.segment(replace(ON_SESSION, prompts=(named("a", x),))))
        for x in (1, 2)
    )
    with pytest.raises(Superseded, match="newer request for the same prompt_id"):
        await older
    backbones[0].gate.set()
    for answer in await asyncio.gather(front, newer):
        assert isinstance(answer.predictions[0], Prediction)


async def test_a_click_on_the_device_is_answered_although_a_newer_one_came(make, backbones):
    engine = await make()
    await engine.create_session(CREATE)
    clicks = replace(ON_SESSION, prompts=(named("front"),))
    front = await held(engine, backbones[0], clicks)
    newer = asyncio.create_task(engine.segment(clicks))
    await engine.models()  # has been there and back: so has the click gone there
    backbones[0].gate.set()
    for answer in await asyncio.gather(front, newer):
        assert isinstance(answer.predictions[0], Prediction)


async def test_a_deadline_that_passes_is_an_error_and_costs_no_launch(make, backbones):
    engine = await make()
    front = await held(engine, backbones[0])
    with pytest.raises(DeadlineExceeded, match="not ready within the 900 ms that were left"):
        await engine.segment(replace(CALL, image=photo(20), remaining_ms=900))
    await engine.models()
    backbones[0].gate.set()
    await front
    assert backbones[0].launches == [("encode", 1), ("decode", 1)]


async def test_one_more_than_the_limit_is_refused(make, backbones):
    engine = await make(max_in_flight=1)
    front = await held(engine, backbones[0])
    with pytest.raises(Overloaded):
        await engine.segment(CALL)
    backbones[0].gate.set()
    await front
    await engine.segment(CALL)


async def test_nobody_is_served_before_the_start_or_after_the_end(make):
    cold = await make(start=False)
    with pytest.raises(NotReady):
        await cold.segment(CALL)
    engine = await make()
    await engine.close(0)
    assert not engine.is_ready()
    with pytest.raises(ShuttingDown):
        await engine.segment(CALL)


async def test_closing_waits_for_those_inside(make, backbones):
    engine = await make()
    inside = await held(engine, backbones[0])
    closing = asyncio.create_task(engine.close(60))
    await asyncio.sleep(0)
    backbones[0].gate.set()
    assert isinstance((await inside).predictions[0], Prediction)
    await closing


async def test_a_large_image_and_its_large_masks_arrive_unharmed(make):
    """Both are over what goes through the socket of an engine process."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    engine = await make()
    call = replace(CALL, image=buffer.getvalue(), prompts=click(400), low_res_logits=True)
    reply = await engine.segment(call)
    assert len(call.image) > 1_000_000
    mask = reply.predictions[0].mask(0)
    assert mask.shape == (600, 800)
    assert 0 < mask.sum() < mask.size
    assert reply.predictions[0].low_res_logits.dtype == np.float16


async def test_an_upload_does_not_suffer_from_a_click_that_came_without_the_file(make):
    """Both need the same embedding, which is gone, and only one brings the file."""
    engine = await make(cache=CacheLimits(embedding_bytes=EMBEDDING_BYTES))
    await engine.create_session(replace(CREATE, images=(photo(1),)))
    for _ in range(10):
        await engine.segment(replace(CALL, image=photo(2)))  # drives the session's embedding out
        replies = await asyncio.gather(
            engine.segment(replace(ON_SESSION, prompts=(named("a"),))),
            engine.segment(replace(CALL, image=photo(1))),
            engine.segment(ON_SESSION),
        )
        for reply in replies:
            assert reply.predictions[0].predicted_iou[0] == pytest.approx(0.401)
