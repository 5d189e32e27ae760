"""gRPC's stream of prompts: answered alone, as they are ready, so many at a time."""

import asyncio
import threading
from contextlib import aclosing
from dataclasses import replace

import grpc
import numpy as np
import pytest
from device import CLICK, fence, hold, rows, until, value, waiting

from suresam.client import AsyncGrpcClient, GrpcClient
from suresam.domain import (
    InteractHeader,
    OutputRequest,
    Point,
    Prompt,
    RouteRequest,
    SegmentOptions,
    UncertaintyRequest,
)
from suresam.errors import InvalidPrompt, NotReady, SessionNotFound
from suresam.masks.rle import decode_rle
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub
from suresam.segmentation.fake import FakeBackbone

OUTSIDE = Prompt(points=(Point(700, 10),), prompt_id="outside")
HEADER = pb.InteractRequest(header=pb.InteractHeader(session_id="mine"))
PROMPT = pb.InteractRequest(prompt=pb.Prompt(points=[pb.Point(x=30, y=20)], prompt_id="a"))
END = object()
LARGE = {
    "output": OutputRequest(masks="none", low_res_logits=True),
    "uncertainty": UncertaintyRequest(maps=True),
    "deadline_ms": 120_000,
}


class Feed:
    """An asynchronous iterator that is fed from outside."""

    def __init__(self):
        self._items = asyncio.Queue()
        self.num_taken = 0

    def send(self, *items):
        for item in items:
            self._items.put_nowait(item)

    def end(self):
        self._items.put_nowait(END)

    async def __aiter__(self):
        while (item := await self._items.get()) is not END:
            self.num_taken += 1
            yield item


@pytest.fixture
def fake():
    return FakeBackbone("fake-small")


@pytest.fixture
async def running(serving, fake):
    async with serving(fake) as running:
        yield running


@pytest.fixture
async def client(running, connect, photo):
    async with connect(running, "grpc") as client:
        await client.create_session([photo()], "mine")
        yield client


@pytest.fixture
async def stub(running, client):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        yield SegmentationStub(channel)


async def test_an_answer_comes_before_the_next_prompt_is_decoded(client, fake):
    feed = Feed()
    fake.launches.clear()
    async with aclosing(client.interact("mine", feed)) as answers:
        feed.send(replace(CLICK, prompt_id="a"))
        first = await anext(answers)
        assert (first.index, first.result.prompt_id) == (0, "a")
        assert rows(fake) == 1
        fake.gate.clear()
        feed.send(CLICK)
        entered = fake.num_entered
        second = asyncio.ensure_future(anext(answers))
        await until(lambda: fake.num_entered > entered)
        # One that fails at once overtakes the one on the device.
        feed.send(OUTSIDE)
        assert (await second).index == 2
        fake.gate.set()
        assert (await anext(answers)).index == 1
        feed.end()
        assert [answer async for answer in answers] == []


async def test_the_answers_are_those_of_the_unary_call(client):
    prompts = [CLICK, Prompt(points=((5, 6), (9, 9)), labels=(1, 0)), Prompt(box=(1, 2, 30, 40))]
    plain = await client.segment_session("mine", prompts, deadline_ms=9000)
    found = {a.index: a async for a in client.interact("mine", prompts, deadline_ms=9000)}
    for index, result in enumerate(plain.results):
        streamed = found[index]
        assert streamed.response.image == plain.image
        assert streamed.response.session_id == "mine"
        for mask, expected in zip(streamed.result.masks, result.masks, strict=True):
            assert np.array_equal(decode_rle(mask.rle), decode_rle(expected.rle))
            assert mask.predicted_iou == expected.predicted_iou


async def test_a_bad_prompt_has_an_error_and_the_stream_goes_on(client, stub):
    damaged = pb.Prompt(mask_input=pb.Float16Array(height=2, width=2, data=b"1"), prompt_id="d")
    elsewhere = pb.InteractHeader(session_id="mine", image_id="none")
    loud = pb.InteractHeader(
        session_id="mine", options=pb.SegmentOptions(route=pb.RouteRequest(min_gain=7))
    )
    late = pb.InteractHeader(session_id="mine", deadline_ms=-1)
    messages = [
        HEADER,
        pb.InteractRequest(prompt=pb.Prompt(points=[pb.Point(x=64, y=1)], prompt_id="outside")),
        pb.InteractRequest(prompt=damaged),
        pb.InteractRequest(prompt=pb.Prompt()),
        pb.InteractRequest(header=elsewhere),
        PROMPT,
        pb.InteractRequest(header=loud),
        PROMPT,
        pb.InteractRequest(header=late),
        PROMPT,
        HEADER,
        PROMPT,
    ]
    answers = {answer.index: answer.response async for answer in stub.Interact(iter(messages))}
    told = [
        (result.error.code, result.error.message, result.prompt_id)
        for result in (answers[index].results[0] for index in range(6))
    ]
    outside = "prompts[0]: point x=64 lies outside the image (width 64 px)"
    assert told == [
        ("invalid_prompt", outside, "outside"),
        (
            "invalid_prompt",
            "prompts[0].mask_input has 1 bytes; shape [2, 2] of float16 takes 8 bytes",
            "d",
        ),
        ("invalid_prompt", "prompts[0] has neither points nor a box", ""),
        ("image_not_found", "session 'mine' has no image 'none'", "a"),
        ("invalid_request", "route.min_gain=7.0 lies outside [0, 1]", "a"),
        ("deadline_exceeded", "the deadline had already passed (deadline_ms=-1 ms)", "a"),
    ]
    for index in range(6):
        assert not answers[index].HasField("image")
        assert not answers[index].results[0].HasField("route")
        assert not answers[index].results[0].error.HasField("retry_after_ms")
    assert not answers[6].results[0].HasField("error")
    assert len(answers[6].results[0].masks) == 3


async def test_a_later_header_holds_for_the_prompts_behind_it(client, photo):
    await client.create_session([photo(32, 32), photo(640, 480)], "other")
    second_id = (await client.get_session("other")).images[1].image_id
    single = SegmentOptions(multimask=False, output=OutputRequest(masks="none"))
    feed = [
        CLICK,
        InteractHeader("other", second_id, single),
        CLICK,
        InteractHeader("other"),
        CLICK,
    ]
    answers = {answer.index: answer async for answer in client.interact("mine", feed)}
    assert [answers[i].response.image.width for i in range(3)] == [64, 640, 32]
    assert [answers[i].response.session_id for i in range(3)] == ["mine", "other", "other"]
    assert [len(answers[i].result.masks) for i in range(3)] == [3, 1, 3]
    assert answers[1].result.masks[0].rle is None


async def ending(stub, *messages):
    """How a call ends."""
    call = stub.Interact(iter(messages))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [answer async for answer in call]
    trailing = dict(caught.value.trailing_metadata())
    assert trailing["x-request-id"]
    return caught.value.code(), trailing["suresam-error-code"], caught.value.details()


async def test_a_stream_without_a_header_first_ends(stub):
    invalid = (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")
    told = "the first message must be the header, not prompt"
    assert await ending(stub, PROMPT) == (*invalid, told)
    assert await ending(stub) == (*invalid, "the stream ended before its header")
    told = "an empty message; each must hold a header or a prompt"
    assert await ending(stub, pb.InteractRequest()) == (*invalid, told)
    assert await ending(stub, HEADER, PROMPT, pb.InteractRequest()) == (*invalid, told)
    unknown = pb.InteractHeader(
        session_id="mine", options=pb.SegmentOptions(output=pb.OutputRequest(masks=9))
    )
    code, _, message = await ending(stub, pb.InteractRequest(header=unknown))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "output.masks=9 is not one of" in message


async def test_a_header_of_an_unknown_session_ends_the_call(stub, client):
    gone = pb.InteractRequest(header=pb.InteractHeader(session_id="gone"))
    for messages in ([gone], [HEADER, PROMPT, gone]):
        code, told, message = await ending(stub, *messages)
        assert (code, told) == (grpc.StatusCode.NOT_FOUND, "session_not_found")
        assert "'gone'" in message
    with pytest.raises(SessionNotFound):
        [answer async for answer in client.interact("gone", [CLICK])]


async def test_a_session_that_goes_away_fails_its_prompts_only(client):
    feed = Feed()
    async with aclosing(client.interact("mine", feed)) as answers:
        feed.send(CLICK)
        assert (await anext(answers)).result.error is None
        await client.delete_session("mine")
        feed.send(CLICK)
        assert (await anext(answers)).result.error.code == "session_not_found"


async def test_a_failure_of_the_service_ends_the_call_without_details(running, stub, monkeypatch):
    async def segment(request):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(running.composition.router, "segment_in_steps", segment)
    code, told, message = await ending(stub, HEADER, PROMPT)
    assert (code, told) == (grpc.StatusCode.INTERNAL, "internal")
    assert "secret" not in message


async def test_a_failure_of_the_device_is_one_prompts_own(client, fake, photo):
    await client.create_session([photo(red=fake.nan)], "nan")
    feed = [CLICK, InteractHeader("nan"), CLICK, InteractHeader("mine"), CLICK]
    answers = {answer.index: answer.result async for answer in client.interact("mine", feed)}
    codes = [answers[index].error and answers[index].error.code for index in range(3)]
    assert codes == [None, "non_finite_output", None]


async def test_a_superseded_prompt_is_told_so(running, client, fake):
    held = await hold(fake, client, "mine")
    feed = Feed()
    feed.send(replace(CLICK, prompt_id="a"))
    answers = client.interact("mine", feed)
    first = asyncio.ensure_future(anext(answers))
    await waiting(running, 1)
    feed.send(replace(CLICK, prompt_id="a"))
    superseded = await first
    assert (superseded.index, superseded.result.prompt_id) == (0, "a")
    assert superseded.result.error.code == "superseded"
    feed.end()
    fake.gate.set()
    told = [(answer.index, answer.result.error) async for answer in answers]
    assert told == [(1, None)]
    await held
    assert rows(fake) == 2


async def test_a_full_service_refuses_single_prompts_and_says_when_to_come_back(
    serving, connect, photo, fake
):
    async with serving(fake, max_in_flight=2) as running, connect(running, "grpc") as client:
        await client.create_session([photo()], "mine")
        held = await hold(fake, client, "mine")
        answers = client.interact("mine", [CLICK, CLICK])
        refused = await anext(answers)
        assert refused.index == 1
        assert refused.result.error.code == "overloaded"
        assert refused.result.error.retry_after_ms >= 100
        fake.gate.set()
        assert [answer.result.error async for answer in answers] == [None]
        await held


async def test_no_more_prompts_than_the_limit_are_in_progress(running, client, fake):
    held = await hold(fake, client, "mine")
    prompts = Feed()
    prompts.send(*[CLICK] * 40)
    prompts.end()
    answers = client.interact("mine", prompts)
    first = asyncio.ensure_future(anext(answers))
    await until(lambda: prompts.num_taken == 40)
    await waiting(running, 32)
    await fence(client, "mine")
    assert value(running, "queue_depth", stage="decode", model="fake-small") == 32
    fake.gate.set()
    indices = [(await first).index, *[answer.index async for answer in answers]]
    assert sorted(indices) == list(range(40))
    await held


async def test_a_client_that_does_not_read_holds_only_its_own_stream(serving, connect, photo):
    fake = FakeBackbone("fake-small", input_size=512)  # 196,608 bytes of arrays an answer
    # A busy machine refuses nobody for want of time, or fewer than 32 would be decoded.
    async with (
        serving(fake, default_deadline_ms=60_000) as running,
        connect(running, "grpc") as client,
    ):
        await client.create_session([photo()], "mine")
        fake.launches.clear()
        answers = client.interact("mine", [CLICK] * 80, **LARGE)
        first = await anext(answers)
        await until(lambda: rows(fake) >= 32)
        async with connect(running, "grpc") as other:
            await fence(other, "mine")
            before = rows(fake)
            answer = await other.segment_session("mine", CLICK)
            assert answer.results[0].error is None
        # 32 in progress or waiting to be taken, and what went out or lies in gRPC's buffers.
        assert before < 60
        rest = [answer.index async for answer in answers if answer.result.error is None]
        assert sorted([first.index, *rest]) == list(range(80))


async def test_half_closing_finishes_what_is_in_progress(running, client, stub, fake):
    held = await hold(fake, client, "mine")
    call = stub.Interact()
    nameless = pb.InteractRequest(prompt=pb.Prompt(points=PROMPT.prompt.points))
    for message in (HEADER, PROMPT, nameless, nameless):
        await call.write(message)
    await call.done_writing()
    await waiting(running, 3)
    fake.gate.set()
    assert sorted([answer.index async for answer in call]) == [0, 1, 2]
    assert await call.code() == grpc.StatusCode.OK
    assert dict(await call.trailing_metadata())["x-request-id"]
    await held
    labels = {"api": "grpc", "method": "Interact"}
    assert value(running, "requests_total", code="ok", **labels) == 1
    assert value(running, "request_seconds_count", **labels) == 1


@pytest.mark.parametrize("how", ["cancel", "hang up"])
async def test_a_client_that_leaves_costs_the_device_nothing(running, connect, client, fake, how):
    held = await hold(fake, client, "mine")
    other = AsyncGrpcClient(f"127.0.0.1:{running.grpc_port}")
    feed = Feed()
    feed.send(CLICK, CLICK, CLICK)
    answers = other.interact("mine", feed)
    first = asyncio.ensure_future(anext(answers))
    await waiting(running, 3)
    if how == "cancel":
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    else:
        await other.close()
        await asyncio.gather(first, return_exceptions=True)
    labels = {"api": "grpc", "method": "Interact", "code": "cancelled"}
    await until(lambda: value(running, "requests_total", **labels) == 1)
    fake.gate.set()
    await held
    await client.segment_session("mine", CLICK)
    assert rows(fake) == 2
    assert value(running, "cancelled_total", stage="decode") == 3
    await other.close()


async def test_prompts_after_the_drain_began_are_refused(serving, connect, photo, fake):
    # The delay is over when we say so: after it, the stream itself would be ended.
    async with (
        serving(fake, drain_delay_s=60) as running,
        connect(running, "grpc") as client,
    ):
        await client.create_session([photo()], "mine")
        feed = Feed()
        held = await hold(fake, client, "mine")
        feed.send(CLICK)
        answers = client.interact("mine", feed)
        first = asyncio.ensure_future(anext(answers))
        await waiting(running, 1)
        stop = asyncio.create_task(running.stop())
        await until(lambda: running.composition.engine.is_closed)
        feed.send(CLICK)
        refused = await first
        assert (refused.index, refused.result.error.code) == (1, "shutting_down")
        fake.gate.set()
        finished = await anext(answers)
        assert (finished.index, finished.result.error) == (0, None)
        feed.end()
        assert [answer async for answer in answers] == []
        await held
        running.hurry()
        await stop


async def test_prompts_that_fail_to_come_end_the_stream_after_what_was_sent(client):
    def prompts(last):
        yield CLICK
        yield last()

    def bug():
        raise ZeroDivisionError

    answers = client.interact("mine", prompts(bug))
    assert (await anext(answers)).index == 0
    with pytest.raises(ZeroDivisionError):
        await anext(answers)
    answers = client.interact("mine", prompts(lambda: Prompt(points=(("a", 1),))))
    assert (await anext(answers)).index == 0
    with pytest.raises(InvalidPrompt):
        await anext(answers)


async def test_the_synchronous_client_streams_alike(running, client):
    def one_and_then_wait(ended):
        yield CLICK
        ended.wait()

    def converse():
        told = []
        with GrpcClient(f"127.0.0.1:{running.grpc_port}") as client:
            for answer in client.interact("mine", [CLICK, OUTSIDE], multimask=False):
                error = answer.result.error
                told.append((answer.index, len(answer.result.masks), error and error.code))
            with pytest.raises(SessionNotFound):
                next(client.interact("gone", [CLICK]))
            with pytest.raises(InvalidPrompt):
                list(client.interact("mine", [Prompt(points=(("a", 1),))]))
            ended = threading.Event()
            left = client.interact("mine", one_and_then_wait(ended))
            next(left)
            left.close()
            ended.set()
        return sorted(told)

    assert await asyncio.to_thread(converse) == [(0, 1, None), (1, 0, "invalid_prompt")]
    labels = {"api": "grpc", "method": "Interact"}
    # The second, if it left before the server knew that its answer had been taken.
    codes = ("cancelled", "client_gone")
    await until(
        lambda: sum(value(running, "requests_total", **labels, code=code) for code in codes) == 1
    )


async def test_a_server_that_is_not_there_is_not_ready():
    async with AsyncGrpcClient("127.0.0.1:1") as client:
        with pytest.raises(NotReady):
            await anext(client.interact("mine", [CLICK]))


async def test_a_large_member_can_be_asked(serving, connect, photo):
    async with serving() as running, connect(running, "grpc") as client:
        await client.create_session([photo()], "mine")
        large = RouteRequest(mode="large")
        [answer] = [a async for a in client.interact("mine", [CLICK], route=large)]
        assert answer.result.route.model == "fake-large"
        unknown = RouteRequest(mode="huge")
        [answer] = [a async for a in client.interact("mine", [CLICK], route=unknown)]
        assert answer.result.error.code == "unknown_model"
