"""Server-sent events: each result of a request on a session as soon as it is ready."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace

import httpx
import numpy as np
import pytest
from device import CLICK, Turnstile, fence, hold, rows, until, value, waiting

from suresam.client import AsyncClient, Client, RetryPolicy
from suresam.domain import OutputRequest, Point, Prompt, RouteRequest, UncertaintyRequest
from suresam.errors import (
    DeadlineExceeded,
    ImageNotFound,
    InvalidPrompt,
    NotReady,
    Overloaded,
    ServiceError,
    SessionNotFound,
    ShuttingDown,
    UnknownModel,
)
from suresam.masks.rle import decode_rle
from suresam.segmentation.fake import FakeBackbone

EVENTS = {"accept": "text/event-stream"}
ROUTE = {"api": "rest", "method": "POST /v1/sessions/{session_id}/segment"}
PLACES = [Prompt(points=(Point(9 + 9 * i, 20),), prompt_id=f"p{i}") for i in range(4)]


LARGE = {
    "output": OutputRequest(masks="none", low_res_logits=True),
    "uncertainty": UncertaintyRequest(maps=True),
    "deadline_ms": 120_000,
}


def body_of(*prompts, **options):
    told = [
        {"points": [list(point) for point in prompt.points], "prompt_id": prompt.prompt_id}
        for prompt in prompts
    ]
    return {"prompts": told, **options}


@pytest.fixture
def fake():
    return FakeBackbone("fake-small", gate=Turnstile())


@pytest.fixture
async def running(serving, fake):
    async with serving(fake, max_decode_batch=1, max_in_flight=40) as running:
        yield running


@pytest.fixture
async def client(running, connect, photo):
    async with connect(running, "rest") as client:
        await client.create_session([photo()], "mine")
        yield client


@pytest.fixture
async def http(running, client):
    url = f"http://127.0.0.1:{running.http_port}"
    async with httpx.AsyncClient(base_url=url) as http:
        yield http


async def test_the_events_are_the_plain_answer_mask_for_mask(http, client):
    plain = (await http.post("/v1/sessions/mine/segment", json=body_of(*PLACES))).json()
    answer = await http.post("/v1/sessions/mine/segment", json=body_of(*PLACES), headers=EVENTS)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-session-id"] == "mine"
    assert answer.headers["x-request-id"]
    *results, done, rest = answer.text.split("\n\n")
    assert done == 'event: done\ndata: {"results":4}'
    assert rest == ""
    seen = []
    for text in results:
        kind, place, data = text.split("\n")
        assert kind == "event: result"
        index = int(place.removeprefix("id: "))
        seen.append(index)
        told = json.loads(data.removeprefix("data: "))
        assert set(told) == set(plain)
        assert (told["image"], told["session_id"]) == (plain["image"], "mine")
        [result] = told["results"]
        expected = plain["results"][index]
        assert result["masks"] == expected["masks"]
        assert result["prompt_id"] == f"p{index}"
    assert sorted(seen) == [0, 1, 2, 3]


async def test_a_result_comes_before_the_next_prompt_is_decoded(client, fake):
    fake.gate.clear()
    fake.launches.clear()
    async with aclosing(client.segment_session_stream("mine", PLACES)) as answers:
        found = set()
        for count in range(1, 5):
            fake.gate.let(1)
            answer = await anext(answers)
            assert answer.result.prompt_id == f"p{answer.index}"
            found.add(answer.index)
            assert (len(found), len(fake.launches)) == (count, count)
        assert [answer async for answer in answers] == []


async def test_both_clients_read_the_same(running, client):
    plain = await client.segment_session("mine", PLACES, multimask=False)

    def synchronously():
        with Client(f"http://127.0.0.1:{running.http_port}") as client:
            return list(client.segment_session_stream("mine", PLACES, multimask=False))

    found = [a async for a in client.segment_session_stream("mine", PLACES, multimask=False)]
    for answers in (found, await asyncio.to_thread(synchronously)):
        for answer in answers:
            [mask], [expected] = answer.result.masks, plain.results[answer.index].masks
            assert np.array_equal(decode_rle(mask.rle), decode_rle(expected.rle))
        assert sorted(answer.index for answer in answers) == [0, 1, 2, 3]
    with pytest.raises(NotReady):
        await anext(
            AsyncClient("http://127.0.0.1:1", retry=RetryPolicy(1)).segment_session_stream(
                "mine", PLACES
            )
        )


async def test_json_is_answered_where_both_are_accepted(http):
    headers = {"accept": "text/event-stream, application/json"}
    answer = await http.post("/v1/sessions/mine/segment", json=body_of(*PLACES), headers=headers)
    assert answer.headers["content-type"] == "application/json"
    answer = await http.post(
        "/v1/sessions/mine/segment", json=body_of(*PLACES), headers={"accept": "*/*"}
    )
    assert answer.headers["content-type"] == "application/json"


async def test_what_is_wrong_with_the_request_is_an_ordinary_error(http, client, fake):
    fake.launches.clear()
    outside = replace(CLICK, points=(Point(64, 10),))
    for keywords, status, code, message in (
        (
            {"prompts": [*PLACES, outside]},
            400,
            "invalid_prompt",
            "prompts[4]: point x=64 lies outs",
        ),
        ({"prompts": []}, 400, "invalid_prompt", "prompts is empty"),
        ({"prompts": PLACES, "deadline_ms": 1e9}, 400, "invalid_request", "deadline_ms=1e+09 ms"),
        ({"prompts": PLACES, "deadline_ms": -1}, 504, "deadline_exceeded", "already passed"),
        ({"prompts": PLACES, "route": {"mode": "huge"}}, 404, "unknown_model", "'huge'"),
        ({"prompts": PLACES, "image_id": "none"}, 404, "image_not_found", "no image 'none'"),
        ({"prompts": PLACES, "colour": 1}, 400, "invalid_request", "unknown field 'colour'"),
    ):
        body = body_of(*keywords.pop("prompts"), **keywords)
        answer = await http.post("/v1/sessions/mine/segment", json=body, headers=EVENTS)
        told = answer.json()["error"]
        assert (answer.status_code, told["code"]) == (status, code)
        assert message in told["message"]
        assert told["request_id"] == answer.headers["x-request-id"]
        plain = await http.post("/v1/sessions/mine/segment", json=body)
        assert plain.json()["error"]["message"] == told["message"]
    answer = await http.post("/v1/sessions/gone/segment", json=body_of(CLICK), headers=EVENTS)
    assert answer.json()["error"]["code"] == "session_not_found"
    assert fake.launches == []
    for prompts, keywords, kind in (
        ([*PLACES, outside], {}, InvalidPrompt),
        ([*PLACES, PLACES[0]], {}, InvalidPrompt),
        (PLACES, {"image_id": "none"}, ImageNotFound),
        (PLACES, {"route": RouteRequest("huge")}, UnknownModel),
    ):
        with pytest.raises(kind):
            await anext(client.segment_session_stream("mine", prompts, **keywords))
    with pytest.raises(SessionNotFound):
        await anext(client.segment_session_stream("gone", CLICK))


async def test_a_full_or_stopping_service_refuses_as_elsewhere(
    serving, connect, photo, monkeypatch
):
    fake = FakeBackbone("fake-small")
    async with serving(fake, max_in_flight=1) as running, connect(running, "rest") as client:
        await client.create_session([photo()], "mine")
        held = await hold(fake, client, "mine")
        with pytest.raises(Overloaded, match=r"limit 1\)") as caught:
            await anext(client.segment_session_stream("mine", PLACES))
        assert caught.value.retry_after_s >= 1
        labels = {"code": "overloaded", **ROUTE}
        async with connect(running, "rest", retry=RetryPolicy(2)) as patient:
            answers = patient.segment_session_stream("mine", CLICK)
            first = asyncio.ensure_future(anext(answers))
            await until(lambda: value(running, "requests_total", **labels) == 2)
            fake.gate.set()
            await held
            assert (await first).index == 0
            assert [answer async for answer in answers] == []
        held = await hold(fake, client, "mine")
        stop = asyncio.create_task(running.stop())
        await until(lambda: running.composition.engine.is_closed)
        with pytest.raises(ShuttingDown):
            await anext(client.segment_session_stream("mine", PLACES))
        fake.gate.set()
        await asyncio.gather(held, stop)


async def test_a_prompt_refused_later_has_an_error_in_its_result(serving, connect, photo):
    fake = FakeBackbone("fake-small")
    async with serving(fake, max_in_flight=2) as running, connect(running, "rest") as client:
        await client.create_session([photo()], "mine")
        fake.gate.clear()
        answers = client.segment_session_stream("mine", PLACES[:3])
        refused = await anext(answers)
        assert (refused.index, refused.result.prompt_id) == (2, "p2")
        error = refused.result.error
        assert (error.code, error.retry_after_ms >= 100) == ("overloaded", True)
        assert (refused.response.image, refused.result.route) == (None, None)
        fake.gate.set()
        assert sorted([answer.index async for answer in answers]) == [0, 1]
        assert value(running, "requests_total", code="ok", **ROUTE) == 1


async def test_a_newer_click_takes_the_place_of_one_prompt_only(running, client, fake):
    held = await hold(fake, client, "mine")
    answers = client.segment_session_stream("mine", PLACES)
    first = asyncio.ensure_future(anext(answers))
    await waiting(running, 4)
    newer = asyncio.create_task(client.segment_session("mine", PLACES[0]))
    superseded = await first
    assert (superseded.index, superseded.result.error.code) == (0, "superseded")
    fake.gate.set()
    told = {answer.index: answer.result.error async for answer in answers}
    assert told == {1: None, 2: None, 3: None}
    await asyncio.gather(held, newer)


async def test_the_deadline_is_that_of_the_whole_request(client, fake):
    fake.gate.clear()
    fake.launches.clear()
    fake.gate.let(1)
    answers = client.segment_session_stream("mine", PLACES, deadline_ms=2000)
    told = [answer.result.error and answer.result.error.code async for answer in answers]
    assert told == [None, *["deadline_exceeded"] * 3]
    with pytest.raises(DeadlineExceeded):
        await anext(client.segment_session_stream("mine", PLACES, deadline_ms=300))
    fake.gate.set()
    await client.segment_session("mine", CLICK)
    # The first, the one that was on the device when its time was up, and the click after it all.
    assert rows(fake) == 3


async def test_no_more_prompts_than_the_limit_are_in_progress(running, client, fake):
    fake.gate.clear()
    answers = client.segment_session_stream("mine", [CLICK] * 40)
    first = asyncio.ensure_future(anext(answers))
    await waiting(running, 31)
    await fence(client, "mine")
    assert value(running, "queue_depth", stage="decode", model="fake-small") == 31
    fake.gate.set()
    indices = [(await first).index, *[answer.index async for answer in answers]]
    assert sorted(indices) == list(range(40))


async def test_a_request_of_many_prompts_does_not_hold_up_a_click(running, client, fake):
    held = await hold(fake, client, "mine")

    async def all_of_many():
        return [answer async for answer in client.segment_session_stream("mine", [CLICK] * 30)]

    many = asyncio.create_task(all_of_many())
    await waiting(running, 30)
    click = asyncio.create_task(client.segment_session("mine", CLICK))
    await waiting(running, 31)
    fake.gate.let(3)  # who stands there, the first of the many, and the click
    await click
    assert rows(fake) == 3
    fake.gate.set()
    await asyncio.gather(held, many)


async def test_hanging_up_drops_what_waits(running, client, fake):
    fake.gate.clear()
    fake.launches.clear()
    async with aclosing(client.segment_session_stream("mine", PLACES)) as answers:
        entered = fake.num_entered
        fake.gate.let(1)
        assert (await anext(answers)).result.error is None
        await until(lambda: fake.num_entered >= entered + 2)
    await until(lambda: value(running, "requests_total", code="client_gone", **ROUTE) == 1)
    await waiting(running, 0)
    fake.gate.set()
    await client.segment_session("mine", CLICK)
    # The first, the one that was on the device, and the click after it.
    assert rows(fake) == 3
    assert value(running, "cancelled_total", stage="decode") == 2
    assert value(running, "request_seconds_count", **ROUTE) == 2


async def test_a_client_that_does_not_read_holds_only_its_own_stream(serving, connect, photo):
    fake = FakeBackbone("fake-small", input_size=512)  # 196,608 bytes of arrays an answer
    async with serving(fake) as running, connect(running, "rest") as client:
        await client.create_session([photo()], "mine")
        fake.launches.clear()
        answers = client.segment_session_stream("mine", [CLICK] * 120, **LARGE)
        first = await anext(answers)
        await until(lambda: rows(fake) >= 32)
        await fence(client, "mine")
        before = rows(fake)
        answer = await client.segment_session("mine", CLICK)
        assert answer.results[0].error is None
        # 32 in progress or waiting to be taken, and what lies in the sockets' buffers.
        assert before < 90
        rest = [answer.index async for answer in answers if answer.result.error is None]
        assert sorted([first.index, *rest]) == list(range(120))


async def test_openapi_tells_of_the_events(http):
    paths = (await http.get("/openapi.json")).json()["paths"]
    answer = paths["/v1/sessions/{session_id}/segment"]["post"]["responses"]["200"]
    assert set(answer["content"]) == {"application/json", "text/event-stream"}
    assert "event: done" in answer["description"]


async def test_a_failure_of_the_service_breaks_the_answer_off(running, client, monkeypatch):
    segment, told = running.composition.router.segment, asyncio.Event()

    async def fail(request, turn):
        if request.prompts[0].prompt_id == "p3":
            await told.wait()
            raise ZeroDivisionError("secret")
        return await segment(request)

    monkeypatch.setattr(running.composition.router, "segment", fail)
    answers = client.segment_session_stream("mine", PLACES)
    assert (await anext(answers)).index in (0, 1, 2)
    told.set()
    with pytest.raises(NotReady):
        [answer async for answer in answers]
    await until(lambda: value(running, "requests_total", code="internal", **ROUTE) == 1)
    with pytest.raises(ServiceError, match="request id") as caught:
        await anext(client.segment_session_stream("mine", PLACES[3:]))
    assert (caught.value.code, "secret" in caught.value.message) == ("internal", False)
