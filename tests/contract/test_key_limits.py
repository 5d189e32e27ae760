"""What a key may use: requests, prompts, the device's time and the large member."""

import re
from contextlib import AsyncExitStack

import pytest
from device import CLICK, hold, value
from heads import expecting_gains
from keys import key_line, refusal

from suresam.access.key import new_key
from suresam.access.limits import KeyLimits
from suresam.errors import RateLimited
from suresam.segmentation.fake import FakeBackbone


@pytest.fixture
async def limited(serving, connect, transport):
    """Makes a client of a tenant with limits; beside it one of another tenant without."""
    async with AsyncExitStack() as stack:

        async def make(fake=None, **limits):
            key, free = new_key(), new_key()
            keys = f"{key_line('a', key, limits=KeyLimits(**limits))};{key_line('b', free)}"
            running = await stack.enter_async_context(
                serving(fake or FakeBackbone(), api_keys=keys)
            )
            clients = [
                await stack.enter_async_context(connect(running, transport, api_key=k))
                for k in (key, free)
            ]
            return running, *clients

        yield make


async def test_requests_over_the_rate_are_refused_and_told_when_to_come_back(limited):
    running, client, other = await limited(requests_per_s=0.01, burst=2)
    await client.models()
    await client.models()
    error = await refusal(client.models())
    assert isinstance(error, RateLimited)
    assert 0 < error.retry_after_s <= 100
    assert re.match(r"too many requests \(limit 0.01 a second for this key\)", error.message)
    assert value(running, "rejected_total", reason="requests_per_s") == 1
    await other.models()
    assert await client.ready()


async def test_requests_at_a_time_are_limited_for_each_tenant(limited, photo):
    fake = FakeBackbone()
    running, client, other = await limited(fake, concurrent=1)
    await client.create_session([photo()], "mine")
    click = await hold(fake, client, "mine")
    error = await refusal(client.get_session("mine"))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s > 0
    assert value(running, "rejected_total", reason="concurrent") == 1
    await other.models()
    fake.gate.set()
    await click
    await client.get_session("mine")


@pytest.mark.parametrize("kind", ["segment", "create_session"])
async def test_device_time_is_owed_until_it_is_paid(limited, photo, kind):
    running, client, other = await limited(device_ms_per_s=1e-6)
    if kind == "segment":
        await client.segment(photo(), CLICK)
    else:
        await client.create_session([photo()])
    error = await refusal(client.models())
    assert isinstance(error, RateLimited)
    assert "of device time are owed" in error.message
    assert value(running, "rejected_total", reason="device_ms_per_s") == 1
    await other.models()


async def test_each_prompt_of_a_stream_counts_as_a_request(serving, connect, photo):
    key = new_key()
    keys = key_line("a", key, limits=KeyLimits(requests_per_s=0.01, burst=3))
    async with serving(api_keys=keys) as running, connect(running, "grpc", api_key=key) as client:
        session = await client.create_session([photo()])
        told = [a.result async for a in client.interact(session.session_id, [CLICK] * 3)]
    codes = sorted("ok" if result.error is None else result.error.code for result in told)
    assert codes == ["ok", "ok", "rate_limited"]
    [late] = [result.error for result in told if result.error is not None]
    assert late.retry_after_ms > 0


async def test_a_keys_requests_go_to_a_larger_member_within_its_share(
    serving, connect, transport, photo, alice, bob
):
    keys = f"{key_line('alice', alice, limits=KeyLimits(large_share=0))};{key_line('bob', bob)}"
    heads = expecting_gains("fake-small", {10: {"fake-large": 0.3}})
    async with serving(heads=heads, route="auto", api_keys=keys) as running:
        reasons = []
        for key in (alice, bob):
            async with connect(running, transport, api_key=key) as client:
                answer = await client.segment(photo(red=10), CLICK)
                reasons.append(answer.results[0].route.reason)
    assert reasons == ["key_budget", "expected_gain"]
