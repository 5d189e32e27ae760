"""Sessions whose clicks need a larger member find their other images prepared for it."""

from dataclasses import replace

from device import CLICK, until, value
from heads import expecting_gains

from suresam.domain import RouteRequest
from suresam.segmentation.fake import FakeBackbone


async def test_the_next_image_of_a_session_that_escalated_costs_the_larger_member_no_encode(
    serving, connect, photo, transport
):
    small, large = FakeBackbone("fake-small"), FakeBackbone("fake-large")
    heads = expecting_gains("fake-small", {10: {"fake-large": 0.5}, 11: {"fake-large": 0.5}})
    async with (
        serving(small, large, heads=heads, route="auto") as running,
        connect(running, transport) as client,
    ):
        session = await client.create_session([photo(red=10), photo(red=11)])
        other = session.images[1].image_id
        large.launches.clear()
        # A click that stays small says nothing about the others.
        stay = RouteRequest(min_gain=0.9)
        await client.segment_session(session.session_id, CLICK, route=stay)
        assert large.launches == []
        [first] = (await client.segment_session(session.session_id, CLICK)).results
        assert first.route.model == "fake-large"
        await until(lambda: value(running, "prepared_total", result="made") == 1)
        assert large.launches == [("encode", 1), ("decode", 1), ("encode", 1)]
        named = replace(CLICK, prompt_id="a")
        [second] = (await client.segment_session(session.session_id, named, other)).results
        assert second.route.model == "fake-large"
        assert large.launches[3:] == [("decode", 1)]
