"""Streams that take the small member's answer first and the larger one's after it."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import httpx
import numpy as np
import pytest
from device import CLICK, Turnstile, until, value, waiting
from heads import expecting_gains

from suresam.domain import Point, Prompt, RouteRequest
from suresam.errors import InvalidRequest
from suresam.masks.rle import decode_rle
from suresam.segmentation.fake import FakeBackbone

PROGRESSIVE = RouteRequest(progressive=True)
WORTH_IT, GOOD_ENOUGH, FAILING = 10, 11, 201
GAINS = {
    WORTH_IT: {"fake-large": 0.3},
    GOOD_ENOUGH: {"fake-large": 0.0},
    FAILING: {"fake-large": 0.3},
}
NAMED = replace(CLICK, prompt_id="a")


@pytest.fixture
def fakes():
    small = FakeBackbone("fake-small", gate=Turnstile(), poison=-1)
    return small, FakeBackbone("fake-large", gate=Turnstile())


@pytest.fixture
async def running(serving, fakes):
    heads = expecting_gains("fake-small", GAINS)
    async with serving(*fakes, heads=heads, route="auto") as running:
        yield running


@pytest.fixture
async def client(running, connect, transport, photo):
    async with connect(running, transport) as client:
        for red in GAINS:
            await client.create_session([photo(red=red)], f"s{red}")
        yield client


def stream(client, red, prompts, route=PROGRESSIVE):
    send = getattr(client, "interact", None) or client.segment_session_stream
    return send(f"s{red}", prompts, route=route)


async def test_the_small_answer_comes_at_once_and_the_larger_one_after_it(client, fakes):
    [plain] = (await client.segment_session(f"s{WORTH_IT}", CLICK)).results
    fakes[1].gate.clear()
    async with aclosing(stream(client, WORTH_IT, [NAMED])) as answers:
        first = await anext(answers)  # while the larger member stands at its gate
        fakes[1].gate.set()
        [last] = [answer async for answer in answers]
    assert (first.index, last.index) == (0, 0)
    assert (first.result.provisional, last.result.provisional) == (True, False)
    assert [answer.result.prompt_id for answer in (first, last)] == ["a", "a"]
    small, large = first.result.route, last.result.route
    assert (small.model, small.escalated, small.reason) == ("fake-small", False, "provisional")
    assert (large.model, large.escalated, large.reason) == ("fake-large", True, "expected_gain")
    assert small.expected_gain == large.expected_gain == 0.3
    assert large.cost["spent"] > small.cost["spent"] > 0
    for mask, expected in zip(last.result.masks, plain.masks, strict=True):
        assert np.array_equal(decode_rle(mask.rle), decode_rle(expected.rle))


async def test_an_answer_that_is_good_enough_is_the_only_one(client):
    prompts = [CLICK, Prompt(points=(Point(5, 5),))]
    answers = [answer async for answer in stream(client, GOOD_ENOUGH, prompts)]
    assert sorted(answer.index for answer in answers) == [0, 1]
    assert {answer.result.route.reason for answer in answers} == {"gain_below_threshold"}
    assert not any(answer.result.provisional for answer in answers)


async def test_who_does_not_ask_for_it_gets_one_answer(client):
    answers = [answer async for answer in stream(client, WORTH_IT, [CLICK], RouteRequest())]
    assert [answer.result.route.model for answer in answers] == ["fake-large"]
    assert not answers[0].result.provisional


async def test_where_the_larger_member_fails_the_small_answer_is_told_again_as_the_last(client):
    first, last = [answer async for answer in stream(client, FAILING, [CLICK])]
    assert (first.result.provisional, last.result.provisional) == (True, False)
    assert (last.result.route.model, last.result.route.reason) == ("fake-small", "larger_failed")
    assert [m.area for m in last.result.masks] == [m.area for m in first.result.masks]


async def test_a_newer_click_takes_the_place_of_a_larger_answer_that_waits(running, client, fakes):
    small, _ = fakes
    small.gate.clear()
    entered = small.num_entered
    async with aclosing(stream(client, WORTH_IT, [NAMED])) as answers:
        first = asyncio.ensure_future(anext(answers))
        await until(lambda: small.num_entered == entered + 1)
        # Somebody else is next and keeps the device, so that the larger answer has to wait.
        stay = RouteRequest(mode="small")
        other = asyncio.create_task(client.segment_session(f"s{GOOD_ENOUGH}", CLICK, route=stay))
        await waiting(running, 1)
        small.gate.let(1)
        assert (await first).result.provisional
        await waiting(running, 1, "encode", "fake-large")
        newer = asyncio.create_task(client.segment_session(f"s{WORTH_IT}", NAMED))
        [last] = [answer async for answer in answers]
        assert (last.index, last.result.provisional) == (0, False)
        assert last.result.error.code == "superseded"
        small.gate.set()
        [result] = (await newer).results
        assert result.route.model == "fake-large"
        await other
    assert value(running, "cancelled_total", stage="encode") == 1


async def test_who_leaves_after_the_first_answer_is_asked_about_no_larger_one(
    running, client, fakes
):
    fakes[1].gate.clear()
    entered = fakes[1].num_entered
    async with aclosing(stream(client, WORTH_IT, [CLICK])) as answers:
        assert (await anext(answers)).result.provisional
        await until(lambda: fakes[1].num_entered > entered)
        fakes[1].launches.clear()
    # The encode stands on the device already; no prompt is decoded behind it.
    await until(lambda: running.composition.engine._permits._in_flight == 0)
    fakes[1].gate.set()
    await client.segment_session(f"s{GOOD_ENOUGH}", CLICK, route=RouteRequest(mode="small"))
    assert ("decode", 1) not in fakes[1].launches


async def test_a_call_with_one_answer_refuses_to_give_two(client, photo):
    with pytest.raises(InvalidRequest, match="may give two answers"):
        await client.segment_session(f"s{WORTH_IT}", CLICK, route=PROGRESSIVE)
    with pytest.raises(InvalidRequest, match="may give two answers"):
        await client.segment(photo(), CLICK, route=PROGRESSIVE)


async def test_a_member_that_is_named_leaves_nothing_to_follow(client, transport):
    answers = stream(client, WORTH_IT, [CLICK], RouteRequest(mode="large", progressive=True))
    reason = r"route.progressive=true needs route.mode='auto' \(it is 'large'\)"
    if transport == "rest":
        with pytest.raises(InvalidRequest, match=reason):
            await anext(answers)
    else:
        [answer] = [answer async for answer in answers]
        assert answer.result.error.code == "invalid_request"


async def test_the_last_event_counts_prompts_and_not_answers(running, connect, photo):
    async with connect(running, "rest") as client:
        await client.create_session([photo(red=WORTH_IT)], "mine")
    body = {"prompts": [{"points": [[30, 20]]}] * 2, "route": {"progressive": True}}
    url = f"http://127.0.0.1:{running.http_port}/v1/sessions/mine/segment"
    async with httpx.AsyncClient() as http:
        answer = await http.post(url, json=body, headers={"accept": "text/event-stream"})
    *results, done, _ = answer.text.split("\n\n")
    assert len(results) == 4
    assert done == 'event: done\ndata: {"results":2}'


async def test_where_nothing_is_routed_the_small_answer_is_final(serving, connect, photo):
    async with serving(FakeBackbone()) as running, connect(running, "grpc") as client:
        await client.create_session([photo()], "mine")
        found = [a async for a in client.interact("mine", [CLICK], route=PROGRESSIVE)]
    assert [answer.result.provisional for answer in found] == [False]
