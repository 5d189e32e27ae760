import asyncio
import math
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from device import until

from suresam.domain import ImageSize, Prompt
from suresam.engine.cache import CacheLimits, EmbeddingCache
from suresam.engine.engine import Engine, Image
from suresam.engine.job import Caller
from suresam.engine.scheduler import BatchLimits
from suresam.errors import InvalidImage
from suresam.prediction import Wanted
from suresam.segmentation.fake import FakeBackbone

SIZE = ImageSize(8, 8)
PIXELS = np.full((8, 8, 3), 5, np.uint8)
CALLER = Caller("t", math.inf)


@pytest.fixture
def backbone():
    return FakeBackbone()


CLICK = Prompt(points=[(4, 4)])


@pytest.fixture
def engine(start_worker, backbone, cache, pool, telemetry):
    return Engine(backbone, cache, start_worker(backbone), pool, telemetry)


def image(key, load=None):
    return Image(key, load or Loader())


def red_of(answered):
    """What the fake device saw of the image."""
    return round(1000 * (answered.decoded.value.predicted_iou[1] - 0.7))


class Loader:
    """Counts how often the image is decoded."""

    def __init__(self, pixels=PIXELS):
        self.pixels = pixels
        self.calls = 0

    @asynccontextmanager
    async def __call__(self, deadline):
        self.calls += 1
        if isinstance(self.pixels, Exception):
            raise self.pixels
        yield self.pixels


async def test_who_joins_an_encode_is_in_its_batch_and_knows_it(engine, backbone):
    backbone.gate.clear()
    entered = backbone.num_entered
    front = asyncio.create_task(engine.embed(image("front"), CALLER))
    await until(lambda: backbone.num_entered > entered)
    callers = [replace(CALLER, traces=traces) for traces in (("first",), (), ("second",))]
    waiters = [asyncio.create_task(engine.embed(image("k"), caller)) for caller in callers]
    await until(lambda: "k" in engine._encodes)
    await until(lambda: engine._encodes["k"].num_waiting == 3 and engine._encodes["k"].job)
    last = asyncio.create_task(engine.embed(image("k"), replace(CALLER, traces=("late",))))
    await until(lambda: engine._encodes["k"].num_waiting == 4)
    backbone.gate.set()
    assert (await front).ran is None
    runs = [done.ran for done in await asyncio.gather(*waiters, last)]
    assert len({id(ran) for ran in runs}) == 1
    launch = runs[0].launch
    assert (launch.stage, launch.rows, launch.traces) == ("encode", 1, ("first", "second", "late"))
    assert runs[0].submitted_at <= runs[0].started_at <= runs[0].ended_at


async def test_an_image_is_encoded_once_and_then_cached(engine, backbone, count):
    load = Loader()
    assert not engine.is_cached("k")
    first = await engine.embed(image("k", load), CALLER)
    second = await engine.embed(image("k", load), CALLER)
    assert engine.is_cached("k")
    assert first.queue_ms > 0
    assert (second.spent_ms, second.queue_ms) == (0.0, 0.0)
    assert load.calls == 1
    assert backbone.launches == [("encode", 1)]
    labels = {"tier": "device", "model": "fake-small"}
    assert count("cache_requests_total", result="miss", **labels) == 1
    await engine.answer(CLICK, image("k", load), Wanted(SIZE), CALLER)
    assert count("cache_requests_total", result="hit", **labels) == 1


async def test_all_who_wait_for_an_image_share_one_encode(engine, backbone, count):
    backbone.gate.clear()
    load = Loader()
    waiters = [asyncio.create_task(engine.embed(image("k", load), CALLER)) for _ in range(5)]
    await until(lambda: load.calls)
    backbone.gate.set()
    done = await asyncio.gather(*waiters)
    assert len({(d.launch_ms, d.queue_ms) for d in done}) == 1
    # Who caused it pays, and the others do not: the receipts add up to what was spent.
    assert [d.spent_ms for d in done] == [done[0].launch_ms, 0, 0, 0, 0]
    assert load.calls == 1
    assert backbone.launches == [("encode", 1)]
    assert engine._encodes == {}
    labels = {"tier": "device", "model": "fake-small"}
    assert count("cache_requests_total", result="miss", **labels) == 1
    assert count("cache_requests_total", result="shared", **labels) == 4


async def test_prompts_on_other_images_get_their_own(engine):
    images = [image("a", Loader(PIXELS)), image("b", Loader(PIXELS + 1))]
    answers = await asyncio.gather(
        *(engine.answer(CLICK, one, Wanted(SIZE), CALLER) for one in images)
    )
    assert list(map(red_of, answers)) == [5, 6]


async def waiting_encode(engine, backbone, num_waiters):
    """Waiters for one image, queued behind another one that the device holds."""
    backbone.gate.clear()
    entered = backbone.num_entered
    front = asyncio.create_task(engine.embed(image("front"), CALLER))
    await until(lambda: backbone.num_entered > entered)
    waiters = [asyncio.create_task(engine.embed(image("k"), CALLER)) for _ in range(num_waiters)]
    await until(lambda: engine._worker._scheduler.waiting())
    return front, waiters


async def test_a_waiter_who_leaves_does_not_take_the_others_along(engine, backbone):
    front, (leaving, staying) = await waiting_encode(engine, backbone, 2)
    leaving.cancel()
    await until(leaving.done)
    backbone.gate.set()
    done = await staying
    assert done.rows == 1
    assert done.spent_ms == done.launch_ms > 0  # somebody has to pay
    assert leaving.cancelled()
    await front
    assert backbone.launches == [("encode", 1), ("encode", 1)]


async def test_the_last_who_leaves_cancels_the_encode(engine, backbone, count):
    front, waiters = await waiting_encode(engine, backbone, 2)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    await until(lambda: count("cancelled_total", stage="encode"))
    assert engine._encodes == {"front": engine._encodes["front"]}
    backbone.gate.set()
    await front
    assert backbone.launches == [("encode", 1)]
    assert not engine.is_cached("k")


async def test_an_encode_has_the_latest_deadline_of_those_who_wait(engine, backbone):
    backbone.gate.clear()
    entered = backbone.num_entered
    front = asyncio.create_task(engine.embed(image("front"), CALLER))
    await until(lambda: backbone.num_entered > entered)
    waiters = []
    for deadline in (2e9, 3e9, 1e9):
        caller = Caller("t", deadline)
        waiters.append(asyncio.create_task(engine.embed(image("k"), caller)))
        await until(lambda: engine._worker._scheduler.waiting()["encode", "fake-small"])
        await asyncio.sleep(0)
    assert engine._encodes["k"].job.deadline == 3e9
    assert engine._worker._scheduler.waiting()["encode", "fake-small"] == 1
    backbone.gate.set()
    await asyncio.gather(front, *waiters)


async def test_the_work_of_an_image_is_its_prompts_and_an_encode_that_nobody_makes_yet(
    engine, backbone
):
    decodes = {("decode", "fake-small"): 3}
    assert engine.rows("k", 3) == {**decodes, ("encode", "fake-small"): 1}
    backbone.gate.clear()
    entered = backbone.num_entered
    encoding = asyncio.create_task(engine.embed(image("k"), CALLER))
    await until(lambda: backbone.num_entered > entered)
    assert engine.rows("k", 3) == {**decodes, ("encode", "fake-small"): 0}
    backbone.gate.set()
    await encoding
    assert engine.rows("k", 3) == decodes
    assert engine.rows("k", 0) == {}


async def test_who_comes_after_the_last_one_left_starts_anew(engine, backbone):
    front, [waiter] = await waiting_encode(engine, backbone, 1)
    waiter.cancel()
    newcomer = asyncio.create_task(engine.embed(image("k"), CALLER))
    await until(waiter.done)
    backbone.gate.set()
    assert (await newcomer).rows == 1
    await front
    assert engine.is_cached("k")
    assert engine._encodes == {}


async def preparing(engine, backbone, key="k"):
    """A preparation that waits for idle time behind an image that the device holds."""
    backbone.gate.clear()
    entered = backbone.num_entered
    front = asyncio.create_task(engine.embed(image("front"), CALLER))
    await until(lambda: backbone.num_entered > entered)
    preparation = asyncio.create_task(engine.prepare(image(key), "t"))
    await until(lambda: engine._worker._scheduler._background)
    return front, preparation


async def test_who_needs_what_is_prepared_joins_it_and_it_waits_no_more_for_idle_time(
    engine, backbone
):
    front, preparation = await preparing(engine, backbone)
    waiting = engine._worker._scheduler.waiting
    assert waiting() == {}
    # To admission it is still to be done: nobody let it in before.
    assert engine.rows("k", 0) == {("encode", "fake-small"): 1}
    joined = asyncio.create_task(engine.embed(image("k"), Caller("t", 2e9)))
    await until(lambda: waiting() == {("encode", "fake-small"): 1})
    assert engine.rows("k", 0) == {("encode", "fake-small"): 0}
    assert engine._encodes["k"].job.deadline == 2e9
    backbone.gate.set()
    done = await joined
    assert done.spent_ms == done.launch_ms > 0  # who needs it pays
    assert await preparation == "made"
    await front
    assert backbone.launches == [("encode", 1), ("encode", 1)]


async def test_who_stops_preparing_does_not_take_along_those_who_joined(engine, backbone):
    front, preparation = await preparing(engine, backbone)
    joined = asyncio.create_task(engine.embed(image("k"), CALLER))
    await until(lambda: engine._worker._scheduler.waiting())
    preparation.cancel()
    await until(preparation.done)
    backbone.gate.set()
    assert (await joined).rows == 1
    await front


async def test_nobody_prepares_what_is_there_or_what_somebody_makes(engine, backbone):
    assert await engine.prepare(image("k"), "t") == "made"
    assert await engine.prepare(image("k"), "t") == "there"
    backbone.gate.clear()
    encoding = asyncio.create_task(engine.embed(image("other"), CALLER))
    await until(lambda: engine._running("other"))
    assert await engine.prepare(image("other"), "t") == "there"
    backbone.gate.set()
    await encoding


async def test_a_preparation_makes_way_for_a_queue_and_can_be_asked_for_again(
    start_worker, backbone, cache, pool, telemetry
):
    worker = start_worker(backbone, limits=BatchLimits(idle_below_ms=0.0))
    engine = Engine(backbone, cache, worker, pool, telemetry)
    front, preparation = await preparing(engine, backbone)
    other = asyncio.create_task(engine.embed(image("other"), CALLER))
    assert await preparation == "given_up"
    late = asyncio.create_task(engine.embed(image("k"), CALLER))
    backbone.gate.set()
    await asyncio.gather(front, other, late)
    assert engine.is_cached("k")


async def test_who_joins_what_has_just_been_given_up_starts_anew(engine, backbone):
    front, preparation = await preparing(engine, backbone)
    joined = asyncio.create_task(engine.embed(image("k"), CALLER))
    # Before the event loop comes to it, the worker gives it up.
    scheduler = engine._worker._scheduler
    scheduler._given_up += scheduler._background
    scheduler._background.clear()
    engine._worker._make_way()
    backbone.gate.set()
    assert (await joined).rows == 1
    assert await preparation == "given_up"
    await front
    assert engine._encodes == {}


async def test_a_preparation_drives_nobody_out(start_worker, backbone, clock, telemetry, pool):
    one_slot = EmbeddingCache(CacheLimits(embedding_bytes=12), clock, telemetry)
    worker = start_worker(backbone, cache=one_slot)
    clock.now += 10_000  # what warming up left there has expired
    engine = Engine(backbone, one_slot, worker, pool, telemetry)
    assert await engine.prepare(image("k"), "t") == "made"
    assert await engine.prepare(image("other"), "t") == "given_up"
    assert engine.is_cached("k")
    assert backbone.launches == [("encode", 1)]


async def test_a_damaged_image_is_the_error_of_all_who_wait_and_is_tried_again(engine):
    load = Loader(InvalidImage("damaged"))
    answers = await asyncio.gather(
        *(engine.embed(image("k", load), CALLER) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(a, InvalidImage) for a in answers)
    assert load.calls == 1
    assert engine._encodes == {}
    assert (await engine.embed(image("k"), CALLER)).rows == 1


async def test_an_image_that_the_cache_cannot_keep_is_still_answered(
    start_worker, backbone, clock, telemetry, pool
):
    none = EmbeddingCache(CacheLimits(embedding_bytes=0), clock, telemetry)
    engine = Engine(backbone, none, start_worker(backbone, cache=none), pool, telemetry)
    for _ in range(2):
        assert red_of(await engine.answer(CLICK, image("k"), Wanted(SIZE), CALLER)) == 5
    assert not engine.is_cached("k")
    assert backbone.launches.count(("encode", 1)) == 2


async def test_an_image_that_was_driven_out_is_encoded_again(
    start_worker, backbone, clock, telemetry, pool
):
    one = EmbeddingCache(CacheLimits(embedding_bytes=12), clock, telemetry)
    engine = Engine(backbone, one, start_worker(backbone, cache=one), pool, telemetry)
    for red in (5, 6, 5):
        answered = await engine.answer(
            CLICK, image(f"image-{red}", Loader(PIXELS - 5 + red)), Wanted(SIZE), CALLER
        )
        assert red_of(answered) == red
    assert backbone.launches.count(("encode", 1)) == 3


async def test_an_image_that_the_host_has_is_no_encode(
    start_worker, backbone, clock, telemetry, pool, count
):
    cache = EmbeddingCache(CacheLimits(embedding_bytes=12, host_bytes=24), clock, telemetry)
    engine = Engine(backbone, cache, start_worker(backbone, cache=cache), pool, telemetry)
    for red in (5, 6):
        await engine.embed(image(f"image-{red}", Loader(PIXELS - 5 + red)), CALLER)
    assert engine.is_cached("image-5")
    assert engine.rows("image-5", 3) == {("decode", "fake-small"): 3}
    load = Loader()
    # Made ready for clicks once more, which costs nothing, and then clicked on by three at once.
    assert (await engine.embed(image("image-5", load), CALLER)).spent_ms == 0
    answers = await asyncio.gather(
        *(engine.answer(CLICK, image("image-5", load), Wanted(SIZE), CALLER) for _ in range(3))
    )
    assert list(map(red_of, answers)) == [5, 5, 5]
    assert load.calls == 0
    assert backbone.launches.count(("encode", 1)) == 2
    assert count("cache_requests_total", result="hit", tier="host", model="fake-small") >= 1
    assert count("cache_requests_total", result="miss", tier="host", model="fake-small") == 2
    assert cache.num_pins == 0


class ThrashingCache(EmbeddingCache):
    """The first embedding of "k" is driven out before anybody could pin it."""

    has_thrashed = False

    def put(self, key, embedding):
        kept = super().put(key, embedding)
        if key[0] == "k" and not self.has_thrashed:
            self.has_thrashed = True
            super().put(("another", key[1]), embedding)
        return kept


async def test_all_who_wait_for_an_image_that_is_driven_out_at_once_are_answered(
    start_worker, backbone, clock, telemetry, pool
):
    cache = ThrashingCache(CacheLimits(embedding_bytes=12), clock, telemetry)
    engine = Engine(backbone, cache, start_worker(backbone, cache=cache), pool, telemetry)
    answers = await asyncio.gather(
        *(engine.answer(CLICK, image("k"), Wanted(SIZE), CALLER) for _ in range(3))
    )
    assert list(map(red_of, answers)) == [5, 5, 5]
    # On the embedding that was made for them, although the cache has another by now.
    assert backbone.launches.count(("encode", 1)) == 1
    assert engine._encodes == {}


async def test_a_prompt_that_waits_keeps_its_embedding_whatever_is_uploaded(
    start_worker, backbone, clock, telemetry, pool
):
    """One slot only: uploads go without one as long as a click waits on it."""
    one = EmbeddingCache(CacheLimits(embedding_bytes=12), clock, telemetry)
    engine = Engine(backbone, one, start_worker(backbone, cache=one), pool, telemetry)
    await engine.embed(image("seen"), CALLER)
    backbone.gate.clear()
    entered = backbone.num_entered
    front = asyncio.create_task(engine.embed(image("front", Loader(PIXELS + 1)), CALLER))
    await until(lambda: backbone.num_entered > entered)
    click = asyncio.create_task(engine.answer(CLICK, image("seen"), Wanted(SIZE), CALLER))
    await until(lambda: engine._worker._scheduler.waiting()["decode", "fake-small"])
    assert one.num_pins == 1
    backbone.gate.set()
    assert red_of(await click) == 5
    await front
    assert not engine.is_cached("front")
    assert one.num_pins == 0


async def test_a_prompt_whose_caller_left_is_not_decoded_and_pins_nothing(engine, backbone, cache):
    await engine.embed(image("seen"), CALLER)
    front, _ = await waiting_encode(engine, backbone, 1)
    click = asyncio.create_task(engine.answer(CLICK, image("seen"), Wanted(SIZE), CALLER))
    waiting = engine._worker._scheduler.waiting
    await until(lambda: waiting()["decode", "fake-small"])
    click.cancel()
    await until(click.done)
    assert cache.num_pins == 0
    backbone.gate.set()
    await front
    assert ("decode", 1) not in backbone.launches
