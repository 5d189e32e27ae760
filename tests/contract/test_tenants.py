"""Nothing of another tenant's, and no waiting for all of it, over both transports."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from device import CLICK, hold, value, waiting
from keys import key_line, refusal

from suresam.errors import Overloaded, SessionNotFound
from suresam.segmentation.fake import FakeBackbone, FakeCosts


@pytest.fixture
async def two(serving, connect, transport, alice, bob):
    """A service and its device, and two tenants' clients."""
    fake = FakeBackbone()
    async with AsyncExitStack() as stack:
        keys = f"{key_line('alice', alice)}\n{key_line('bob', bob)}"
        running = await stack.enter_async_context(serving(fake, api_keys=keys))
        clients = [
            await stack.enter_async_context(connect(running, transport, api_key=key))
            for key in (alice, bob)
        ]
        yield running, fake, *clients


async def test_another_tenants_session_answers_like_one_that_does_not_exist(two, photo):
    _, _, alice, bob = two
    await alice.create_session([photo()], "hers")
    asks = {
        "get": lambda session_id: bob.get_session(session_id),
        "delete": lambda session_id: bob.delete_session(session_id),
        "segment": lambda session_id: bob.segment_session(session_id, CLICK),
    }
    for name, ask in asks.items():
        hers, none = await refusal(ask("hers")), await refusal(ask("nils"))
        assert type(hers) is type(none) is SessionNotFound, name
        assert hers.message.replace("hers", "nils") == none.message
    assert len((await alice.segment_session("hers", CLICK)).results[0].masks) == 3


async def test_two_tenants_may_have_sessions_of_one_name(two, photo):
    _, _, alice, bob = two
    await alice.create_session([photo(64, 48)], "same")
    await bob.create_session([photo(32, 24)], "same")
    sizes = [(await client.get_session("same")).images[0].width for client in (alice, bob)]
    assert sizes == [64, 32]
    await bob.delete_session("same")
    await alice.get_session("same")


async def test_another_tenants_cached_image_saves_no_encode(two, photo):
    running, fake, alice, bob = two
    fake.launches.clear()
    for client, result in ((alice, "miss"), (alice, "hit"), (bob, "miss")):
        labels = {"model": "fake-small", "tier": "device", "result": result}
        before = value(running, "cache_requests_total", **labels)
        await client.segment(photo(), CLICK)
        assert value(running, "cache_requests_total", **labels) == before + 1
    assert [stage for stage, _ in fake.launches].count("encode") == 2


async def test_adding_an_image_to_another_tenants_session_is_refused_alike(
    serving, connect, alice, bob, photo
):
    keys = f"{key_line('alice', alice)}\n{key_line('bob', bob)}"
    async with (
        serving(api_keys=keys) as running,
        connect(running, "rest", api_key=alice) as hers,
        connect(running, "rest", api_key=bob) as his,
    ):
        await hers.create_session([photo()], "hers")
        one = await refusal(his.add_image("hers", photo()))
        other = await refusal(his.add_image("nils", photo()))
        assert one.message.replace("hers", "nils") == other.message


async def test_nobody_is_refused_for_what_another_tenant_has_asked(
    serving, connect, transport, alice, bob, photo
):
    """Forty prompts of hers take two seconds; his click takes its turn before most of them."""
    fake = FakeBackbone("fake-small", FakeCosts(decode_row_ms=50))
    async with AsyncExitStack() as stack:
        keys = f"{key_line('alice', alice)}\n{key_line('bob', bob)}"
        running = await stack.enter_async_context(serving(fake, api_keys=keys))
        hers, his = [
            await stack.enter_async_context(connect(running, transport, api_key=key))
            for key in (alice, bob)
        ]
        session = (await hers.create_session([photo()])).session_id
        own = (await his.create_session([photo()])).session_id
        held = await hold(fake, hers, session)
        many = asyncio.create_task(hers.segment_session(session, [CLICK] * 40))
        await waiting(running, 40)
        with pytest.raises(Overloaded):
            await hers.segment_session(session, CLICK, deadline_ms=1500)
        click = asyncio.create_task(his.segment_session(own, CLICK, deadline_ms=1500))
        await waiting(running, 41)
        fake.costs = FakeCosts()
        fake.gate.set()
        await asyncio.gather(held, many, click)
