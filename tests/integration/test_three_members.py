"""A family of three through the real servers: the cheapest member that is good enough answers."""

import pytest
from device import CLICK, value
from heads import expecting_gains

from suresam.domain import RouteRequest
from suresam.segmentation.fake import FakeBackbone

NAN = 202
GAINS = {
    10: {"fake-base": 0.30, "fake-large": 0.31},
    11: {"fake-base": 0.05, "fake-large": 0.30},
    12: {"fake-base": 0.01, "fake-large": 0.015},
    13: {"fake-base": 0.00, "fake-large": 0.10},
}


@pytest.fixture
def family():
    others = [FakeBackbone(f"fake-{name}", nan=-1) for name in ("base", "large")]
    return FakeBackbone("fake-small"), *others


@pytest.fixture
async def running(serving, family):
    heads = expecting_gains("fake-small", GAINS)
    async with serving(*family, heads=heads, route="auto") as running:
        yield running


@pytest.fixture
async def ask(running, connect, transport, photo):
    async with connect(running, transport) as client:

        async def route_of(red, **route):
            answer = await client.segment(photo(red=red), CLICK, route=RouteRequest(**route))
            return answer.results[0].route

        yield route_of


@pytest.mark.parametrize(
    ("red", "model", "role", "reason"),
    [
        (10, "fake-base", None, "expected_gain"),
        (11, "fake-large", "large", "expected_gain"),
        (12, "fake-small", "small", "gain_below_threshold"),
        (13, "fake-large", "large", "expected_gain"),
        (NAN, "fake-base", None, "not_finite"),
        (99, "fake-small", "small", "no_gain_estimate"),
    ],
)
async def test_the_cheapest_member_that_is_good_enough_answers(
    ask, running, red, model, role, reason
):
    route = await ask(red)
    assert (route.model, route.role, route.reason) == (model, role, reason)
    assert route.escalated is (model != "fake-small")
    assert set(route.cost) == {"fake-small", "fake-base", "fake-large", "spent"}
    assert value(running, "route_total", decision=role or "member", reason=reason) == 1


async def test_a_member_between_answers_who_names_it_and_nobody_else_is_asked(ask, family):
    for fake in family:
        fake.launches.clear()
    route = await ask(11, mode="fake-base")
    assert (route.model, route.role, route.reason) == ("fake-base", None, "requested")
    assert [len(fake.launches) for fake in family] == [0, 2, 0]


async def test_a_higher_bar_leaves_out_those_that_do_not_reach_it(ask):
    assert (await ask(11, min_gain=0.26)).model == "fake-large"
    assert (await ask(11, min_gain=0.31)).model == "fake-small"
