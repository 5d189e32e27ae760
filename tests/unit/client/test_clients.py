"""All four clients against a real socket: what they send, what they raise, what they try again."""

import threading

import numpy as np
import pytest

from suresam import errors
from suresam.client import AsyncClient, AsyncGrpcClient, Client, GrpcClient, RetryPolicy, retry
from suresam.domain import OutputRequest, Prompt, RouteRequest, UncertaintyRequest

PROMPT = Prompt([(1.0, 2.0)], prompt_id="a")


async def test_an_image_and_all_options_arrive(client, service):
    keywords = {
        "multimask": False,
        "route": RouteRequest("large", 0.5, 9.0),
        "uncertainty": UncertaintyRequest(("entropy",), maps=True),
        "output": OutputRequest("png", low_res_logits=True, min_region_area=3),
    }
    prompt = Prompt([(1.0, 2.0)], [0], (0.0, 0.0, 3.0, 3.0), np.ones((2, 2), np.float32), "a")
    response = await client.segment(b"image", [prompt, PROMPT], deadline_ms=5000, **keywords)
    assert response.warnings == ("as told",)
    [asked] = service.asked
    assert asked.request.image == b"image"
    assert repr(asked.request.prompts) == repr((prompt, PROMPT))
    options = asked.request.options
    assert {name: getattr(options, name) for name in keywords} == keywords
    assert asked.request.deadline_ms == 5000


async def test_one_prompt_needs_no_list_and_no_deadline_is_sent(client, service):
    await client.segment(b"image", PROMPT)
    assert len(service.asked[0].request.prompts) == 1
    assert service.asked[0].request.deadline_ms is None


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("x", "prompts is no suresam.domain.Prompt but str; write Prompt"),
        (5, "prompts is no suresam.domain.Prompt but int"),
        ([PROMPT, (1, 2)], r"prompts\[1\] is no suresam.domain.Prompt but tuple"),
    ],
)
async def test_what_is_no_prompt_is_told_before_anything_is_sent(client, service, prompts, message):
    with pytest.raises(errors.InvalidRequest, match=message):
        await client.segment(b"image", prompts)
    assert service.asked == []


async def test_an_image_of_a_megabyte_arrives_whole(client, service):
    image = np.random.default_rng(0).bytes(2**20 + 1)
    await client.segment(image, PROMPT)
    assert service.asked[0].request.image == image
    assert service.asked[0].chunks in ([], [2**18] * 4 + [1])


async def test_sessions_are_made_asked_for_used_and_deleted(client, service):
    session = await client.create_session([b"one", b"two"], "mine")
    assert session.session_id == "mine"
    assert [image.image_id for image in session.images] == ["i-1", "i-2"]
    assert session.expires_at == 1_795_250_400.125
    assert (await client.get_session("mine")).session_id == "mine"
    response = await client.segment_session("mine", PROMPT, "i-2", deadline_ms=9000)
    assert response.session_id == "mine"
    await client.delete_session("mine")
    create, get, segment, delete = service.asked
    assert create.images == [b"one", b"two"]
    assert (segment.request.image_id, segment.request.deadline_ms) == ("i-2", 9000)
    assert [asked.header for asked in (create, get, segment, delete)] == ["mine"] * 4
    assert delete.name == "delete"


async def test_a_session_without_a_chosen_id_gets_the_server_s(client, service):
    assert (await client.create_session([b"one"])).session_id == "made-by-server"
    assert service.asked[0].header is None


async def test_what_is_served_can_be_asked(client):
    info = await client.models()
    assert (info.family, info.limits) == ("demo", {"max_prompts": 256})


async def test_a_running_service_is_ready(client):
    assert await client.ready()


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidPrompt("point x=700 lies outside the image (width 640 px)"),
        errors.SessionNotFound("no session s"),
        errors.SessionExists("s is alive"),
        errors.OutOfMemory("request r"),
        errors.DeadlineExceeded("after 5 ms"),
    ],
    ids=lambda error: error.code,
)
async def test_an_error_arrives_as_its_class_and_is_not_tried_again(client, service, error):
    service.script = [error]
    with pytest.raises(type(error)) as caught:
        await client.segment(b"image", PROMPT)
    assert caught.value.message == error.message
    assert len(service.asked) == 1


async def test_a_full_server_is_asked_again_after_its_pause(client, service):
    service.script = [errors.Overloaded("full", retry_after_s=0.02)]
    await client.segment(b"image", PROMPT, deadline_ms=5000)
    first, second = service.asked
    assert first.request.deadline_ms == 5000
    assert second.request.deadline_ms <= 4980
    assert second.request.image == b"image"


async def test_the_last_refusal_is_raised_with_the_server_s_pause(client, service):
    service.script = [errors.Overloaded("full", retry_after_s=0.002) for _ in range(3)]
    with pytest.raises(errors.Overloaded, match="full") as caught:
        await client.segment(b"image", PROMPT)
    assert caught.value.retry_after_s == 0.002
    assert len(service.asked) == 3


async def test_a_pause_beyond_the_deadline_is_not_waited_for(client, service):
    service.script = [errors.Overloaded("full", retry_after_s=60.0)]
    with pytest.raises(errors.Overloaded):
        await client.segment(b"image", PROMPT, deadline_ms=9000)
    assert len(service.asked) == 1


async def test_silence_beyond_the_deadline_is_deadline_exceeded(client, service, monkeypatch):
    monkeypatch.setattr(retry, "DEADLINE_GRACE_S", 0.05)
    silence = threading.Event()
    service.script = [silence]
    with pytest.raises(errors.DeadlineExceeded):
        await client.segment(b"image", PROMPT, deadline_ms=50)
    silence.set()
    assert len(service.asked) <= 1  # a slow machine is silent before it is asked


async def test_a_prompt_that_cannot_be_written_is_refused_unsent(client, service):
    with pytest.raises(errors.InvalidPrompt):
        await client.segment(b"image", Prompt([("a", 1)]))
    assert service.asked == []


async def test_a_session_handle_uploads_again_when_the_server_has_dropped_it(client, service):
    async with client.session(b"one", b"two") as handle:
        assert handle.image_ids == ("i-1", "i-2")
        service.script = [errors.SessionNotFound("gone")]
        response = await handle.segment(PROMPT, "i-2")
        assert handle.image_ids == ("i-1", "i-2")
    assert response.session_id == handle.session_id
    create, gone, again, segment, delete = service.asked
    assert again.images == create.images == [b"one", b"two"]
    assert again.session_id == create.session_id == handle.session_id
    assert (gone.request.image_id, segment.request.image_id) == ("i-2", "i-4")
    assert delete.name == "delete"


async def test_a_handle_whose_first_answer_was_lost_takes_the_session_as_it_is(client, service):
    service.script = [errors.SessionExists("alive")]
    async with client.session(b"one") as handle:
        await handle.segment(PROMPT)
    assert [asked.name for asked in service.asked] == ["create", "get", "segment", "delete"]


async def test_a_handle_closes_quietly_if_its_session_has_expired(client, service):
    async with client.session(b"one"):
        service.script = [errors.SessionNotFound("gone")]
    assert [asked.name for asked in service.asked] == ["create", "delete"]


async def test_an_error_inside_a_handle_s_block_is_the_one_that_is_seen(client, service):
    service.script = [None, *[errors.Overloaded("full", retry_after_s=0.001)] * 3]
    with pytest.raises(KeyError):
        async with client.session(b"one"):
            raise KeyError


async def test_an_image_can_be_added_over_rest(http_url, service):
    with Client(http_url) as client:
        assert client.add_image("mine", b"more").image_id == "i-1"
    async with AsyncClient(http_url) as client:
        assert (await client.add_image("mine", b"more")).image_id == "i-2"
    for asked in service.asked:
        assert (asked.name, asked.session_id, asked.header) == ("add_image", "mine", "mine")
        assert asked.images == [b"more"]


NOWHERE = "127.0.0.1:1"


@pytest.mark.parametrize("kind", [Client, GrpcClient])
def test_a_server_that_is_not_there_is_not_ready(kind):
    where = f"http://{NOWHERE}" if kind is Client else NOWHERE
    with kind(where, retry=RetryPolicy(max_attempts=2, base_delay_s=0.001)) as client:
        assert not client.ready()
        with pytest.raises(errors.NotReady, match=NOWHERE):
            client.models()


@pytest.mark.parametrize("kind", [AsyncClient, AsyncGrpcClient])
async def test_a_server_that_is_not_there_is_not_ready_for_asyncio(kind):
    where = f"http://{NOWHERE}" if kind is AsyncClient else NOWHERE
    async with kind(where, retry=RetryPolicy(max_attempts=2, base_delay_s=0.001)) as client:
        assert not await client.ready()
        with pytest.raises(errors.NotReady, match=NOWHERE):
            await client.models()
