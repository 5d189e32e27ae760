"""Batching, faults, deadlines and cancellation through the real servers round a fake device."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from device import CLICK, hold, until, value, waiting

from suresam.domain import Prompt
from suresam.errors import (
    ConfigurationError,
    DeadlineExceeded,
    Overloaded,
    ServiceError,
    Superseded,
    WorkerFailed,
)
from suresam.segmentation.fake import FakeBackbone, FakeCosts


async def test_what_waits_shares_a_launch(serving, connect, transport, photo):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, transport) as client:
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        clicks = [
            asyncio.create_task(client.segment_session(session.session_id, CLICK)) for _ in range(6)
        ]
        await waiting(running, 6)
        fake.gate.set()
        answers = await asyncio.gather(held, *clicks)
        assert fake.launches == [("decode", 1), ("decode", 6)]
        assert len({answer.results[0].masks[0].rle.counts for answer in answers}) == 1


async def test_only_prompts_of_equal_length_share_a_launch(serving, connect, photo):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, "rest") as client:
        session = await client.create_session([photo()])
        two = Prompt(points=((30, 20), (5, 5)), labels=(1, 0))
        held = await hold(fake, client, session.session_id)
        clicks = [
            asyncio.create_task(client.segment_session(session.session_id, [CLICK, two, CLICK]))
            for _ in range(2)
        ]
        await waiting(running, 6)
        fake.gate.set()
        await asyncio.gather(held, *clicks)
        assert fake.launches == [("decode", 1), ("decode", 4), ("decode", 2)]


async def test_many_who_upload_the_same_image_share_one_encode(serving, connect, photo):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, "rest") as client:
        fake.launches.clear()
        await asyncio.gather(*(client.segment(photo(), CLICK) for _ in range(8)))
        assert sum(rows for stage, rows in fake.launches if stage == "encode") == 1
        assert value(running, "batch_size_count", stage="encode", model="fake-small") == 1


async def test_a_poisoned_row_fails_alone(serving, connect, transport, photo):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, transport) as client:
        images = [photo(red=red) for red in (10, fake.poison, 20, fake.nan, 30)]
        sessions = [await client.create_session([image]) for image in images]
        first = await hold(fake, client, sessions[0].session_id)
        tasks = [
            asyncio.create_task(client.segment_session(session.session_id, CLICK))
            for session in sessions
        ]
        await waiting(running, 5)
        fake.gate.set()
        answers = await asyncio.gather(first, *tasks)
        codes = [a.results[0].error and a.results[0].error.code for a in answers[1:]]
        assert codes == [None, "inference_failed", None, "non_finite_output", None]
        failed = answers[2].results[0]
        assert (failed.masks, failed.best) == ((), None)
        assert "poisoned" not in failed.error.message


async def test_callers_of_a_dead_worker_are_told_and_a_new_one_takes_over(
    serving, connect, transport, photo
):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, transport) as client:
        with pytest.raises(WorkerFailed, match="try again"):
            await client.segment(photo(red=fake.deadly), CLICK)
        answer = await client.segment(photo(), CLICK)
        assert len(answer.results[0].masks) == 3
        assert value(running, "engine_up") == 1


async def test_a_missed_deadline_costs_the_device_nothing(serving, connect, transport, photo):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, transport) as client:
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        late = asyncio.create_task(
            client.segment_session(session.session_id, [CLICK] * 3, deadline_ms=900)
        )
        with pytest.raises(DeadlineExceeded):
            await late
        fake.gate.set()
        await held
        await client.segment_session(session.session_id, CLICK)
        assert sum(rows for _, rows in fake.launches) == 2


async def test_a_caller_who_hangs_up_costs_the_device_nothing(serving, connect, transport, photo):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, transport) as client:
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        left = asyncio.create_task(client.segment_session(session.session_id, [CLICK] * 3))
        await waiting(running, 3)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        await waiting(running, 0)
        fake.gate.set()
        await held
        await client.segment_session(session.session_id, CLICK)
        assert sum(rows for _, rows in fake.launches) == 2


async def test_too_many_at_once_are_refused_with_a_time_to_come_back(
    serving, connect, transport, photo
):
    fake = FakeBackbone("fake-small")
    async with serving(fake, max_in_flight=2) as running, connect(running, transport) as client:
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        second = asyncio.create_task(client.segment_session(session.session_id, CLICK))
        await waiting(running, 1)
        with pytest.raises(Overloaded, match=r"2 requests are in progress \(limit 2\)") as caught:
            await client.segment_session(session.session_id, CLICK)
        assert caught.value.retry_after_s >= (1 if transport == "rest" else 0.1)
        assert value(running, "rejected_total", reason="in_flight") == 1
        fake.gate.set()
        await asyncio.gather(held, second)


async def test_who_could_not_be_in_time_is_refused_with_the_time_that_is_missing(
    serving, connect, transport, photo
):
    fake = FakeBackbone("fake-small", FakeCosts(decode_row_ms=50))
    async with serving(fake) as running, connect(running, transport) as client:
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        many = asyncio.create_task(client.segment_session(session.session_id, [CLICK] * 40))
        await waiting(running, 40)
        with pytest.raises(
            Overloaded, match=r"waiting for others \(until the deadline \d+ ms\)"
        ) as caught:
            await client.segment_session(session.session_id, CLICK, deadline_ms=700)
        # 42 rows of 50 ms and a little more, less 700 ms; HTTP tells whole seconds.
        assert 1.3 <= caught.value.retry_after_s <= 6
        assert value(running, "rejected_total", reason="wait") == 1
        patient = asyncio.create_task(client.segment_session(session.session_id, CLICK))
        await waiting(running, 41)
        fake.costs = FakeCosts()
        fake.gate.set()
        await asyncio.gather(held, many, patient)


async def test_while_clicks_are_refused_no_picture_comes_in_that_would_bring_more(
    serving, connect, transport, photo
):
    fake = FakeBackbone("fake-small", FakeCosts(decode_row_ms=50))
    async with serving(fake) as running, connect(running, transport) as client:
        session = (await client.create_session([photo()])).session_id
        held = await hold(fake, client, session)
        many = asyncio.create_task(client.segment_session(session, [CLICK] * 40))
        await waiting(running, 40)
        clicks = (client.segment_session(session, CLICK, deadline_ms=700) for _ in range(8))
        refused = await asyncio.gather(*clicks, return_exceptions=True)
        assert {type(error) for error in refused} == {Overloaded}
        crowded = r"\d+% of your last clicks were refused .* let in up to 10%"
        with pytest.raises(Overloaded, match=crowded) as caught:
            await client.create_session([photo(red=1)])
        assert caught.value.retry_after_s > 0
        assert value(running, "rejected_total", reason="crowd") == 1
        if transport == "rest":
            with pytest.raises(Overloaded, match=crowded):
                await client.add_image(session, photo(red=1))
        fake.costs = FakeCosts()
        fake.gate.set()
        await asyncio.gather(held, many, *(client.segment_session(session, CLICK) for _ in "12"))
        await client.segment(photo(red=1), CLICK)  # a picture that brings no other clicks


async def test_a_newer_click_supersedes_an_older_one_that_still_waits(
    serving, connect, transport, photo
):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, transport) as client:
        session = (await client.create_session([photo()])).session_id
        held = await hold(fake, client, session)
        older = asyncio.create_task(client.segment_session(session, replace(CLICK, prompt_id="a")))
        await waiting(running, 1)
        newer = asyncio.create_task(client.segment_session(session, replace(CLICK, prompt_id="a")))
        with pytest.raises(Superseded, match="prompt_id"):
            await older
        fake.gate.set()
        assert (await newer).results[0].prompt_id == "a"
        await held
        assert fake.launches == [("decode", 1), ("decode", 1)]


async def test_sessions_outlive_their_embeddings(serving, connect, transport, photo):
    fake = FakeBackbone("fake-small")
    async with (
        serving(fake, cache_bytes=30) as running,  # one embedding of the fake has 12 bytes
        connect(running, transport) as client,
    ):
        sessions = [await client.create_session([photo(red=red)]) for red in range(5)]
        fake.launches.clear()
        for red, session in enumerate(sessions):
            answer = await client.segment_session(session.session_id, CLICK)
            assert answer.results[0].masks[0].predicted_iou == pytest.approx(0.4 + red / 1000)
        assert sum(rows for stage, rows in fake.launches if stage == "encode") >= 3
        assert value(running, "cache_bytes", tier="device") <= 30


async def test_a_click_on_an_image_that_left_the_device_costs_no_encode_where_the_host_has_it(
    serving, connect, transport, photo
):
    fake = FakeBackbone("fake-small")
    async with (
        # One embedding of the fake has 12 bytes: two on the device, and four behind it.
        serving(fake, cache_bytes=30, host_cache_bytes=48) as running,
        connect(running, transport) as client,
    ):
        sessions = [await client.create_session([photo(red=red)]) for red in range(5)]

        async def click(red):
            return await client.segment_session(sessions[red].session_id, CLICK)

        def lookups(result, tier):
            labels = {"result": result, "tier": tier, "model": "fake-small"}
            return value(running, "cache_requests_total", **labels)

        first = [await click(red) for red in range(5)]
        fake.launches.clear()
        second = [await click(red) for red in range(5)]
        assert fake.launches == [("decode", 1)] * 5
        for red, (before, after) in enumerate(zip(first, second, strict=True)):
            [mask, same] = (answer.results[0].masks[0] for answer in (before, after))
            assert same.predicted_iou == mask.predicted_iou == pytest.approx(0.4 + red / 1000)
            assert same.rle.counts == mask.rle.counts
            assert after.timings_ms.encode == 0
        # Two of five are on the device, but never the one that is clicked next.
        assert (lookups("hit", "host"), lookups("hit", "device")) == (10, 0)
        assert (lookups("miss", "host"), lookups("miss", "device")) == (5, 0)
        assert value(running, "cache_bytes", tier="device") == 24
        assert value(running, "cache_bytes", tier="host") == 36


async def test_everybody_gets_their_own_image_while_images_come_and_go_between_the_tiers(
    serving, connect, photo
):
    fake = FakeBackbone("fake-small")
    async with (
        serving(fake, cache_bytes=30, host_cache_bytes=40) as running,
        connect(running, "rest") as client,
    ):
        sessions = [(await client.create_session([photo(red=r)])).session_id for r in range(8)]
        order = [(7 * i) % 8 for i in range(8)] + [i % 3 for i in range(40)] + list(range(8))
        answers = await asyncio.gather(
            *(client.segment_session(sessions[red], [CLICK] * 2) for red in order)
        )
        for red, answer in zip(order, answers, strict=True):
            for result in answer.results:
                assert result.masks[0].predicted_iou == pytest.approx(0.4 + red / 1000)
        assert value(running, "cache_bytes", tier="device") <= 30
        assert value(running, "cache_bytes", tier="host") <= 40


async def test_clicks_go_before_uploads_but_uploads_have_their_turn(serving, connect, photo):
    fake = FakeBackbone("fake-small", FakeCosts(decode_ms=1))
    async with serving(fake, max_decode_batch=1) as running, connect(running, "rest") as client:
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        clicks = asyncio.create_task(client.segment_session(session.session_id, [CLICK] * 30))
        await waiting(running, 30)
        upload = asyncio.create_task(client.segment(photo(red=99), CLICK))
        await waiting(running, 1, "encode")
        [device] = running.composition.engine._devices
        device._costs.__init__()  # a slow machine may have measured anything
        device._costs.record("encode", "fake-small", 1, 2.0)
        device._costs.record("decode", "fake-small", 1, 1.0)
        fake.gate.set()
        await asyncio.gather(held, upload, clicks)
        position = fake.launches.index(("encode", 1))
        assert 1 < position <= 9


async def test_a_click_does_not_wait_behind_somebody_elses_hundred(serving, connect, photo):
    fake = FakeBackbone("fake-small")
    async with serving(fake, max_decode_batch=4) as running, connect(running, "rest") as client:
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        many = asyncio.create_task(client.segment_session(session.session_id, [CLICK] * 100))
        await waiting(running, 100)
        two = Prompt(points=((30, 20), (5, 5)), labels=(1, 0))
        click = asyncio.create_task(client.segment_session(session.session_id, two))
        await waiting(running, 101)
        fake.gate.set()
        await asyncio.gather(held, many, click)
        rows = [rows for _, rows in fake.launches]
        # Held, then the hundred's first prompt (nobody else is at their first with one point), then
        # the click, whose two points need a launch of their own, then the rest in fours.
        assert rows[:3] == [1, 4, 1]
        assert sum(rows) == 102


async def test_nothing_is_answered_before_the_warm_up(serving, connect, transport, photo):
    fake = FakeBackbone("fake-small")
    fake.gate.clear()
    async with serving(fake, warm=False) as running, connect(running, transport) as client:
        url = f"http://127.0.0.1:{running.http_port}"
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/livez")).status_code == 200
            assert (await http.get("/readyz")).status_code == 503
            assert not await client.ready()
            with pytest.raises(ServiceError, match="not ready") as caught:
                await client.segment(photo(), CLICK)
            assert caught.value.code == "not_ready"
            fake.gate.set()
            await running.warm_up()
            assert (await http.get("/readyz")).status_code == 200
            assert await client.ready()


class Shrunk(FakeBackbone):
    """Smaller masks than its weights should give, as a miscompiled model might."""

    def decode(self, rows):
        decoded = super().decode(rows)
        decoded.low_res_logits.sub_(3)
        return decoded


async def test_a_path_with_other_masks_than_eager_float32_never_turns_ready(serving, connect):
    shrunk = Shrunk("fake-small", reference=FakeBackbone("fake-small"))
    async with serving(shrunk, warm=False) as running, connect(running, "rest") as client:
        with pytest.raises(ConfigurationError, match=r"fake-small: decode of 1 rows .* mask IoU 0"):
            await running.warm_up()
        assert not running.is_ready()
        assert not await client.ready()


async def test_stopping_finishes_what_is_in_progress_and_refuses_the_rest(
    serving, connect, transport, photo
):
    fake = FakeBackbone("fake-small")
    async with serving(fake) as running, connect(running, transport) as client:
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        stop = asyncio.create_task(running.stop())
        await until(lambda: running.composition.engine.is_closed)
        assert not running.is_ready()
        with pytest.raises(ServiceError) as caught:
            await client.segment_session(session.session_id, CLICK)
        assert caught.value.code == "shutting_down"
        fake.gate.set()
        answer = await held
        assert len(answer.results[0].masks) == 3
        await stop
