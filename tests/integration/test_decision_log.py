"""A log of decisions that were made under load, against the receipts that callers got."""

import asyncio
import itertools
from collections import Counter

import pytest
from device import value
from heads import expecting_gains

from suresam.domain import Point, Prompt, RouteRequest
from suresam.routing.decision_log import Decided, Spent, read_log
from suresam.routing.judge import replay
from suresam.segmentation.fake import FakeBackbone, FakeCosts

REDS = range(10, 22, 3)
POISON, NAN, BLIND = 201, 202, 150
GAINS = {red: {"fake-base": (red - 12) / 150, "fake-large": (red - 10) / 100} for red in REDS}
GAINS[POISON] = {"fake-base": 0.3, "fake-large": 0.4}
ROUTES = [
    RouteRequest(),
    RouteRequest(min_gain=0.06),
    RouteRequest(max_cost=0.001),
    RouteRequest(mode="fake-large"),
]


def family():
    costs = FakeCosts(encode_ms=1.0, encode_row_ms=1.0, decode_ms=0.5, decode_row_ms=0.2)
    small = FakeBackbone("fake-small", costs, poison=-1)
    base, large = (FakeBackbone(f"fake-{name}", costs, nan=-1) for name in ("base", "large"))
    return small, base, large


async def ask(client, session, number):
    """Clicks of all kinds, some of them again; the receipts of all."""
    receipts = []
    for turn in range(4):
        prompts = [Prompt(points=(Point(9 + turn, 9),), prompt_id=f"{number}-{turn // 2}")]
        if turn % 3 == 0:
            prompts.append(Prompt(points=(Point(9, 9),)))
        route = ROUTES[(number + turn) % len(ROUTES)]
        answer = await client.segment_session(session, prompts, route=route, deadline_ms=60_000)
        receipts += [result.route for result in answer.results]
    return receipts


def device_ms(running):
    return 1000 * sum(
        value(running, "stage_seconds_sum", stage=stage) for stage in ("encode", "decode")
    )


def told(route):
    return route.model, route.reason, route.expected_gain, tuple(sorted(route.cost.items()))


def receipt_of(decided, spent):
    """What a caller must have been told of a decision."""
    evidence, decision = decided.evidence, decided.decision
    cost = {name: ms for name, ms in evidence.costs_ms.items() if ms is not None}
    cost["spent"] = evidence.spent_ms + (0.0 if spent is None else spent.spent_ms)
    model, reason = "fake-small", decision.reason
    if decision.model is not None:
        has_failed = spent.error is not None
        model, reason = (model, "larger_failed") if has_failed else (decision.model, reason)
    return model, reason, decision.expected_gain, tuple(sorted(cost.items()))


CERTAIN = {"requested", "no_gain_estimate", "gain_below_threshold", "max_cost"}
BY_NUMBER = {"expected_gain", "not_finite", "larger_failed", "budget"}
"""Reasons that come whatever the launches take, and those that a budget of requests brings too."""


@pytest.mark.parametrize(
    ("budget", "reasons"),
    [({"large_share": 0.3}, CERTAIN | BY_NUMBER), ({"large_time_share": 0.1}, CERTAIN)],
)
async def test_a_log_replays_and_is_what_callers_were_told(
    serving, connect, photo, tmp_path, budget, reasons
):
    log = tmp_path / "decisions.jsonl"
    options = {
        "route": "auto",
        "decision_log": str(log),
        "max_escalation_backlog_ms": 1e6,
        **budget,
    }
    heads = expecting_gains("fake-small", GAINS)
    async with (
        serving(*family(), heads=heads, **options) as running,
        connect(running, "rest") as rest,
        connect(running, "grpc") as rpc,
    ):
        reds = [*REDS, POISON, NAN, BLIND]
        for red in reds:
            await rest.create_session([photo(red=red)], f"s{red}")
        before_ms = device_ms(running)
        asked = [
            ask(client, f"s{red}", number)
            for number, (red, client) in enumerate(itertools.product(reds, (rest, rpc)))
        ]
        receipts = [receipt for told in await asyncio.gather(*asked) for receipt in told]
        spent_ms = device_ms(running) - before_ms
    events = list(read_log(log))
    pairs = list(replay(events))
    assert [again for _, again in pairs] == [logged for logged, _ in pairs]
    spent = {event.number: event for event in events if isinstance(event, Spent)}
    decided = [event for event in events if isinstance(event, Decided)]
    expected = [receipt_of(event, spent.get(event.number)) for event in decided]
    judged = [receipt for receipt in receipts if receipt.reason != "requested"]
    assert Counter(map(told, judged)) == Counter(expected)
    assert sum(receipt.cost["spent"] for receipt in receipts) == pytest.approx(spent_ms)
    assert {receipt.reason for receipt in receipts} >= reasons
    assert {receipt.model for receipt in receipts} >= {"fake-small", "fake-large"}


async def test_a_log_holds_nothing_that_tells_who_asked_for_what(serving, connect, photo, tmp_path):
    log = tmp_path / "decisions.jsonl"
    heads = expecting_gains("fake-small", {10: {"fake-large": 0.5}})
    prompt = Prompt(points=(Point(13.75, 9),), prompt_id="a-name")
    async with (
        serving(route="auto", heads=heads, decision_log=str(log)) as running,
        connect(running, "rest") as client,
    ):
        await client.create_session([photo()], "a-session")
        await client.segment_session("a-session", prompt)
    text = log.read_text()
    assert len(text.splitlines()) == 3
    for word in ("13.75", "a-name", "a-session", "anonymous"):
        assert word not in text
