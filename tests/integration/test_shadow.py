"""Shadow mode behind the real servers: what it asks, records, and leaves alone."""

import asyncio
import dataclasses
from pathlib import Path

import pytest
from device import CLICK, until, value
from heads import calibration_of, heads_of

from suresam.domain import Box, Prompt, RouteRequest, UncertaintyRequest
from suresam.masks.rle import decode_rle
from suresam.routing.shadow.record import read_record
from suresam.segmentation.fake import FakeBackbone
from suresam.uncertainty.calibration import Curve, Reading

PHOTO = Path(__file__).parents[2] / "docs" / "coffee.jpg"
BOX = Prompt(box=Box(5, 5, 40, 30), prompt_id="b")
CLICK_A = dataclasses.replace(CLICK, prompt_id="a")


def heads():
    """Both members expect something of their masks, and the small one a gain of 0.07."""
    calibration = calibration_of("fake-small", "fake-large")
    member = calibration.members["fake-small"]
    for told in (member.one_click, member.other):
        told.gains["model_gap"] = Reading({"entropy": 1.0}, Curve((0.0,), (0.07,)))
    calibration.members["fake-large"].one_click.gains.pop("model_gap")
    return {
        name: dataclasses.replace(
            heads_of(name, calibration=calibration), calibration_sha256="2" * 64
        )
        for name in ("fake-small", "fake-large")
    }


@pytest.fixture
def pair():
    return FakeBackbone("fake-small"), FakeBackbone("fake-large")


@pytest.fixture
def shadowed(serving, pair, tmp_path):
    """A service in shadow mode that draws every prompt."""

    def serve(**settings):
        settings = {"shadow_share": 1.0, "shadow_file": str(tmp_path / "record.jsonl"), **settings}
        return serving(*pair, heads=heads(), route="shadow", **settings)

    return serve


def outcome(running, name):
    return value(running, "shadow_total", outcome=name)


def as_answered(response):
    """All of an answer but what it took."""
    results = [
        dataclasses.replace(result, route=dataclasses.replace(result.route, cost={}))
        for result in response.results
    ]
    return repr((response.image, response.warnings, results))


@pytest.mark.parametrize("methods", [("usam", "entropy"), ()])
async def test_answers_are_those_of_the_small_member(
    serving, shadowed, connect, transport, photo, methods
):
    asked = {"uncertainty": UncertaintyRequest(methods=methods)}
    async with serving(heads=heads()) as plain, connect(plain, transport) as client:
        expected = await client.segment(photo(), [CLICK_A, BOX], **asked)
    async with shadowed() as running, connect(running, transport) as client:
        answers = []
        for done in (2, 4):
            answers.append(await client.segment(photo(), [CLICK_A, BOX], **asked))
            await until(lambda done=done: outcome(running, "compared") == done)
    assert [as_answered(answer) for answer in answers] == [as_answered(expected)] * 2
    assert expected.results[0].route.reason == "no_gain_estimate"


async def test_the_record_holds_what_both_members_said(shadowed, connect, photo, tmp_path):
    async with shadowed() as running, connect(running, "rest") as client:
        session = (await client.create_session([photo()])).session_id
        small = await client.segment_session(session, [CLICK_A, BOX])
        await until(lambda: outcome(running, "compared") == 2)
        large = await client.segment_session(
            session, [CLICK_A, BOX], route=RouteRequest(mode="large")
        )
        assert value(running, "shadow_gain_count") == value(running, "shadow_gain_error_count") == 2
    record = read_record([tmp_path / "record.jsonl"])
    [models] = record.models
    assert dataclasses.astuple(models) == (
        "fake-small", "fake-large", "0" * 64, "0" * 64, "1" * 64, "fitted", "2" * 64,
    )  # fmt: skip
    by_prompt = {told.prompt: told for told in record.comparisons}
    assert set(by_prompt) == {"one_click", "box"}
    for name, first, second in zip(("one_click", "box"), small.results, large.results, strict=True):
        told, mine, other = by_prompt[name], first.masks[first.best], second.masks[second.best]
        one, two = decode_rle(mine.rle), decode_rle(other.rle)
        assert told.expected_gain == pytest.approx(0.07)
        assert told.small_expected_iou == pytest.approx(mine.uncertainty.expected_iou, abs=1e-6)
        assert told.large_expected_iou == pytest.approx(other.uncertainty.expected_iou, abs=1e-6)
        assert told.iou == pytest.approx((one & two).sum() / (one | two).sum())
        assert abs(told.gain) <= 1 - told.iou + 1e-12
        assert told.small_ms > 0
        assert told.large_ms > 0
    text = (tmp_path / "record.jsonl").read_text()
    assert session not in text


async def test_a_caller_ends_what_shadow_mode_asks(shadowed, connect, photo, pair, tmp_path):
    _, large = pair
    async with shadowed() as running, connect(running, "rest") as client:
        session = (await client.create_session([photo()])).session_id
        large.gate.clear()
        large.launches.clear()
        entered = large.num_entered
        await client.segment_session(session, CLICK)
        await until(lambda: large.num_entered > entered)
        # The encode of the large member stands on the device, and now somebody comes.
        caller = asyncio.create_task(client.segment_session(session, BOX))
        await until(lambda: outcome(running, "interrupted") == 1)
        assert value(running, "queue_depth", stage="decode", model="fake-large") == 0
        large.gate.set()
        answer = await caller
        assert answer.results[0].route.model == "fake-small"
        # What the caller brought itself is compared once it is quiet again.
        await until(lambda: outcome(running, "compared") == 1)
    [told] = read_record([tmp_path / "record.jsonl"]).comparisons
    assert told.prompt == "box"


async def test_somebody_is_let_in_although_shadow_mode_holds_the_only_place(
    shadowed, connect, photo, pair
):
    _, large = pair
    async with shadowed(max_in_flight=1) as running, connect(running, "rest") as client:
        session = (await client.create_session([photo()])).session_id
        large.gate.clear()
        entered = large.num_entered
        await client.segment_session(session, CLICK)
        await until(lambda: large.num_entered > entered)
        caller = asyncio.create_task(client.segment_session(session, CLICK))
        await until(lambda: outcome(running, "interrupted") == 1)
        large.gate.set()
        assert (await caller).results[0].error is None
        assert value(running, "rejected_total", reason="in_flight") == 0


async def test_a_service_stops_while_shadow_mode_asks(shadowed, connect, photo, pair, tmp_path):
    _, large = pair
    async with shadowed() as running, connect(running, "rest") as client:
        session = (await client.create_session([photo()])).session_id
        large.gate.clear()
        entered = large.num_entered
        await client.segment_session(session, CLICK)
        await client.segment_session(session, BOX)
        await until(lambda: large.num_entered > entered)
        others = asyncio.all_tasks()
        await running.composition.router.close()
        ended = [task for task in others if task.done()]
        assert any("Shadow._run" in repr(task.get_coro()) for task in ended)
        assert not any("Shadow" in repr(task.get_coro()) for task in asyncio.all_tasks())
    assert read_record([tmp_path / "record.jsonl"]).comparisons == []
