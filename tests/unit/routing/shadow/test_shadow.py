import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from clock import Clock
from device import until
from unit.routing.shadow.answers import SIZE, large, small

from suresam.domain import ModelInfo, Prompt, ResultError, Timings
from suresam.engine.client import SegmentCall, SegmentReply
from suresam.errors import SessionNotFound
from suresam.routing.shadow.record import RecordFile, read_record
from suresam.routing.shadow.sampler import Sampler
from suresam.routing.shadow.shadow import Shadow
from suresam.telemetry import Telemetry

MEMBERS = ("tiny", "base", "huge")
CLICK = Prompt(points=[(1, 1)], prompt_id="a")
BOX = Prompt(box=(0, 0, 4, 2), prompt_id="b")


def reply(*predictions, cost_ms=90.0):
    costs = {"tiny": 10.0, "huge": cost_ms}
    return SegmentReply(SIZE, predictions, (), Timings(), costs, (7.0,) * len(predictions))


def info(name):
    return ModelInfo(
        name, (), "cpu", "float32", 64, 0, {}, name[0] * 64, "none", "usam", "2" * 64, "fitted",
        "3" * 64,
    )  # fmt: skip


class Engine:
    """Quiet for as long as it is told, and answers with what it is given."""

    def __init__(self, answer=None):
        self.answer = large() if answer is None else answer
        self.quiet = 1000.0
        self.calls = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def quiet_s(self):
        return self.quiet

    async def ask_aside(self, call):
        self.calls.append(call)
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return None if self.answer == "interrupted" else reply(self.answer)

    async def models(self):
        return tuple(info(name) for name in MEMBERS)


@pytest.fixture
async def shadow():
    made = []

    def make(engine, record=None, members=MEMBERS, clock=None):
        pool = ThreadPoolExecutor(1)
        telemetry = Telemetry()
        shadow = Shadow(engine, members, Sampler(1.0), record, pool, telemetry, clock or Clock())
        made.append((shadow, pool))

        def outcome(name):
            labels = {"outcome": name}
            return telemetry.registry.get_sample_value("suresam_shadow_total", labels) or 0

        return shadow, outcome

    yield make
    for shadow, pool in made:
        await shadow.close()
        pool.shutdown()


def call(*prompts, **session):
    return SegmentCall("t", "tiny", prompts or (CLICK,), 500.0, image=b"x", **session)


def on_session(*prompts, image_id=None):
    return replace(call(*prompts), image=None, session_id="s", image_id=image_id)


async def test_the_large_member_is_asked_for_the_same_and_named_for_nobody(shadow):
    engine = Engine()
    it, outcome = shadow(engine)
    asked = replace(
        on_session(CLICK, BOX), multimask=False, low_res_logits=True, maps=True, entropy=True
    )
    it.offer(asked, reply(small(), small()), (1,))
    await until(lambda: outcome("compared") == 1)
    [again] = engine.calls
    assert (again.model, again.tenant, again.session_id) == ("huge", "t", "s")
    assert (again.multimask, again.masks, again.heads) == (False, True, True)
    assert (again.low_res_logits, again.maps, again.entropy) == (False, False, False)
    [prompt] = again.prompts
    # With its id it would take the place of a newer click of the caller.
    assert (prompt.box, prompt.prompt_id) == (BOX.box, None)
    assert again.remaining_ms > 500.0


async def test_one_is_asked_after_the_other(shadow):
    engine = Engine()
    engine.may_answer.clear()
    it, outcome = shadow(engine)
    it.offer(call(CLICK, BOX), reply(small(), small()), (0, 1))
    await until(lambda: len(engine.calls) == 1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(engine.calls) == 1
    engine.may_answer.set()
    await until(lambda: outcome("compared") == 2)


async def test_it_waits_until_nobody_was_there_for_as_long_as_it_will_take(shadow):
    engine = Engine()
    engine.quiet = 0.09
    it, outcome = shadow(engine)
    it.offer(call(), reply(small(), cost_ms=90.0), (0,))
    for _ in range(20):
        await asyncio.sleep(0)
    assert engine.calls == []
    engine.quiet = 0.091
    await until(lambda: outcome("compared") == 1)


async def test_a_busy_device_sheds_it(shadow):
    engine, clock = Engine(), Clock()
    engine.quiet = 0.0
    it, outcome = shadow(engine, clock=clock)
    it.offer(on_session(CLICK), reply(small()), (0,))
    clock.now += 29.9
    await asyncio.sleep(0)
    assert outcome("busy") == 0
    clock.now += 0.2
    await until(lambda: outcome("busy") == 1)
    assert engine.calls == []
    assert it.choose(on_session(CLICK)) == (0,)  # the picture's place is free again


async def test_what_has_no_place_to_wait_is_shed(shadow):
    engine = Engine()
    engine.quiet = 0.0
    it, outcome = shadow(engine)
    for _ in range(9):
        it.offer(call(), reply(small()), (0,))
    assert outcome("queue_full") == 1
    it, outcome = shadow(engine)
    file = bytes(30 * 2**20)
    for _ in range(3):
        it.offer(replace(call(), image=file), reply(small()), (0,))
    assert outcome("queue_full") == 1


@pytest.mark.parametrize(
    ("answer", "name", "is_free"),
    [
        ("interrupted", "interrupted", True),
        (SessionNotFound("expired"), "failed", True),
        (ResultError("out_of_memory", ""), "failed", True),
        (large(expected_iou=None), "no_estimate", False),
        (large(), "compared", False),
    ],
)
async def test_every_outcome_is_counted_and_the_next_one_is_asked(shadow, answer, name, is_free):
    engine = Engine(answer)
    it, outcome = shadow(engine)
    it.offer(on_session(CLICK), reply(small()), (0,))
    await until(lambda: outcome(name) == 1)
    assert it.choose(on_session(CLICK)) == ((0,) if is_free else ())
    it.offer(on_session(CLICK, image_id="other"), reply(small()), (0,))
    await until(lambda: outcome(name) == 2)


async def test_without_estimates_it_warns_once(shadow, caplog):
    it, outcome = shadow(Engine(large(expected_iou=None)))
    for _ in range(2):
        it.offer(call(), reply(small()), (0,))
    await until(lambda: outcome("no_estimate") == 2)
    assert [r.message for r in caplog.records if "nothing to compare" in r.message] == [
        "shadow mode has nothing to compare: tiny or huge expects no IoU or gain, for want of "
        "heads or a calibration"
    ]


async def test_a_prompt_that_failed_is_not_compared(shadow):
    engine = Engine()
    it, _ = shadow(engine)
    it.offer(on_session(CLICK), reply(ResultError("out_of_memory", "")), (0,))
    assert it.choose(on_session(CLICK)) == (0,)
    assert engine.calls == []


async def test_two_clicks_on_a_picture_at_a_time_are_one_sample(shadow):
    engine = Engine()
    it, outcome = shadow(engine)
    assert it.choose(on_session(CLICK)) == it.choose(on_session(CLICK)) == (0,)
    for _ in range(2):
        it.offer(on_session(CLICK), reply(small()), (0,))
    it.offer(on_session(BOX), reply(small()), (0,))
    await until(lambda: outcome("compared") == 2)
    assert [asked.prompts[0].kind for asked in engine.calls] == ["one_click", "box"]


def test_without_a_larger_member_nothing_is_drawn():
    it = Shadow(None, ("one",), Sampler(1.0), None, None, Telemetry())
    assert it.choose(call()) == ()


async def test_it_is_recorded_until_the_file_is_full(shadow, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    path = tmp_path / "record.jsonl"
    record = RecordFile(path, 900)
    it, outcome = shadow(Engine(), record)
    for _ in range(4):
        it.offer(call(), reply(small()), (0,))
    await until(lambda: it.choose(call()) == ())
    found = read_record([path])
    [models] = found.models
    assert (models.small, models.large, models.small_sha256) == ("tiny", "huge", "t" * 64)
    assert (models.large_sha256, models.calibration_sha256) == ("h" * 64, "3" * 64)
    assert 0 < len(found.comparisons) < 4
    assert f"{path} is full (shadow_file_bytes=900)" in caplog.text
    assert "shadow mode stops" in caplog.text
    it.offer(call(), reply(small()), (0,))
    assert outcome("compared") == len(found.comparisons) + 1


async def test_a_record_that_cannot_be_written_ends_it_and_not_the_service(
    shadow, tmp_path, caplog
):
    folder = tmp_path / "folder"
    folder.mkdir()
    record = RecordFile(folder / "record.jsonl", 10_000)
    record.path.unlink()
    folder.rmdir()
    it, _ = shadow(Engine(), record)
    it.offer(call(), reply(small()), (0,))
    await until(lambda: it.choose(call()) == ())
    assert "cannot be written: No such file" in caplog.text


async def test_closing_gives_up_what_runs_and_what_waits(shadow):
    engine = Engine()
    engine.may_answer.clear()
    it, outcome = shadow(engine)
    for _ in range(3):
        it.offer(call(), reply(small()), (0,))
    await until(lambda: len(engine.calls) == 1)
    await it.close()
    assert it.choose(call()) == ()
    it.offer(call(), reply(small()), (0,))
    assert len(engine.calls) == 1
    assert outcome("compared") == 0


async def test_a_fault_of_its_own_is_logged_and_ends_it(shadow, caplog):
    it, _ = shadow(Engine(RuntimeError("a bug")))
    it.offer(call(), reply(small()), (0,))
    await until(lambda: it.choose(call()) == ())
    assert "ended by a fault of its own" in caplog.text
