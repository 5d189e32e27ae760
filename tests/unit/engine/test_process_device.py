"""A device in another process: what becomes of its callers when that process fails."""

import asyncio
import gc
import os
import signal
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from device import until
from engines import CALL, CREATE, ON_SESSION, SharedFake, held, members_of, photo

from suresam.domain import Prediction
from suresam.engine.cache import CacheLimits
from suresam.engine.frontend import Frontend
from suresam.engine.limits import EngineLimits
from suresam.engine.process.child import Child
from suresam.engine.process.device import ProcessDevice
from suresam.engine.process.messages import State
from suresam.engine.scheduler import BatchLimits
from suresam.errors import ConfigurationError, NotReady, Quarantined, WorkerFailed
from suresam.segmentation.images import ImageLimits

CRASH = 205
"""An image with this red value takes the whole process along."""


class CrashingFake(SharedFake):
    def decode(self, rows):
        if CRASH in [int(row.embedding.image_embed.flatten()[0]) for row in rows]:
            os.abort()
        return super().decode(rows)


def no_models():
    raise ConfigurationError("models=nothing: there is no such family")


def die_early():
    os._exit(3)


@pytest.fixture
def backbone():
    return CrashingFake("fake-small")


@pytest.fixture
async def start(pool, telemetry):
    started = []

    async def engine(*builds, wait=True, **limits):
        limits = EngineLimits(ImageLimits(), CacheLimits(), BatchLimits(), **limits)
        devices = [ProcessDevice(build, limits) for build in builds]
        started.append(Frontend(devices, limits, pool, telemetry))
        started[-1].start()
        if wait:
            await started[-1].wait_ready()
        return started[-1]

    yield engine
    for engine in started:
        await engine.close(0)


@pytest.fixture
async def engine(start, backbone):
    yield await start(partial(members_of, [backbone]))
    backbone.gate.set()


@pytest.fixture
async def impatient(start, backbone):
    yield await start(partial(members_of, [backbone]), launch_timeout_s=0.5)
    backbone.gate.set()


def pid(engine):
    return engine._devices[0].pid


async def again(engine, call):
    """What a client that is told to try again gets in the end."""
    for _ in range(2400):
        try:
            return await engine.segment(call)
        except (NotReady, WorkerFailed):
            await asyncio.sleep(0.05)
    raise AssertionError("it did not come back")


async def test_a_killed_engine_is_replaced_and_sessions_live_on(engine, backbone):
    session = await engine.create_session(CREATE)
    before = await engine.segment(ON_SESSION)
    old = pid(engine)
    front = await held(engine, backbone)
    os.kill(old, signal.SIGKILL)
    with pytest.raises(WorkerFailed, match="try again"):
        await front
    backbone.gate.set()
    with pytest.raises(NotReady):
        await engine.segment(ON_SESSION)
    after = await again(engine, ON_SESSION)
    assert pid(engine) != old
    assert (await engine.get_session("t", "s")).images == session.images
    assert (after.predictions[0].mask(0) == before.predictions[0].mask(0)).all()
    assert after.timings_ms.encode > 0


async def test_what_an_engine_took_along_is_prepared_again(start):
    small, large = CrashingFake("fake-small"), CrashingFake("fake-large")
    engine = await start(partial(members_of, [small, large]))
    await engine.create_session(CREATE)
    await engine.segment(replace(ON_SESSION, model="fake-large", is_escalation=True))
    os.kill(pid(engine), signal.SIGKILL)
    await until(lambda: not engine.is_ready())
    await engine.wait_ready()
    large.launches.clear()
    await again(engine, ON_SESSION)
    await until(lambda: large.launches == [("encode", 1)])


async def test_counters_do_not_fall_when_an_engine_is_replaced(engine, telemetry, monkeypatch):
    monkeypatch.setattr("suresam.engine.process.device._METRICS_S", 60.0)

    def launches(exposition):
        name = b'suresam_batch_size_count{model="fake-small",stage="decode"} '
        [line] = [line for line in exposition.splitlines() if line.startswith(name)]
        return float(line.rpartition(b" ")[2])

    await engine.segment(CALL)
    assert launches(telemetry.exposition(await engine.metrics())) == 1
    os.kill(pid(engine), signal.SIGKILL)
    await again(engine, CALL)
    assert launches(telemetry.exposition(await engine.metrics())) == 2


async def test_a_child_tells_of_itself_and_of_who_waits(engine, telemetry):
    told = telemetry.exposition(await engine.metrics())
    for name in (b"engine_process_resident_memory_bytes ", b'queue_age_seconds{device="fake",'):
        assert b"\nsuresam_" + name in told


async def test_an_input_that_kills_engines_is_tried_alone_and_then_refused(engine, backbone):
    crash = replace(CALL, image=photo(CRASH))
    front = await held(engine, backbone)
    both = [asyncio.create_task(engine.segment(call)) for call in (crash, CALL)]
    await engine.models()
    backbone.gate.set()
    outcomes = await asyncio.gather(front, *both, return_exceptions=True)
    assert isinstance(outcomes[1], WorkerFailed)
    await until(engine.is_ready)
    with pytest.raises(WorkerFailed):  # alone this time
        await engine.segment(crash)
    assert isinstance((await again(engine, CALL)).predictions[0], Prediction)
    assert (await again(engine, crash)).predictions[0].code == Quarantined.code
    assert isinstance((await engine.segment(CALL)).predictions[0], Prediction)


async def test_a_launch_that_does_not_come_back_ends_its_engine(impatient, backbone, caplog):
    old = pid(impatient)
    front = await held(impatient, backbone)
    with pytest.raises(WorkerFailed):
        await front
    backbone.gate.set()
    assert isinstance((await again(impatient, CALL)).predictions[0], Prediction)
    assert pid(impatient) != old
    assert "exit code 70" in caplog.text


async def test_a_lost_device_ends_its_engine(engine, caplog):
    with pytest.raises(WorkerFailed):
        await engine.segment(replace(CALL, image=photo(204)))
    assert isinstance((await again(engine, CALL)).predictions[0], Prediction)
    assert "exit code 70" in caplog.text


async def test_a_silent_engine_is_killed(impatient):
    old = pid(impatient)
    os.kill(old, signal.SIGSTOP)
    with pytest.raises(WorkerFailed):
        await impatient.segment(CALL)
    assert isinstance((await again(impatient, CALL)).predictions[0], Prediction)
    assert pid(impatient) != old


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (no_models, ConfigurationError, "there is no such family"),
        (die_early, NotReady, "the engine process died early"),
    ],
)
async def test_an_engine_that_cannot_begin_says_why(start, build, error, message):
    engine = await start(build, wait=False)
    with pytest.raises(error, match=message):
        await engine.wait_ready()


async def test_images_are_spread_over_engines_and_stay_where_they_are(start):
    fakes = [SharedFake("fake-small") for _ in range(2)]
    engine = await start(*(partial(members_of, [fake]) for fake in fakes))
    for fake in fakes:
        fake.launches.clear()
        fake.gate.clear()
    calls = [replace(CALL, image=photo(red)) for red in range(1, 7)]
    first = [asyncio.create_task(engine.segment(call)) for call in calls]
    # Nobody is answered before all have gone somewhere: it is requests in progress that count.
    await until(lambda: engine._affinity._requests.total() == len(calls))
    for fake in fakes:
        fake.gate.set()
    await asyncio.gather(*first)
    await asyncio.gather(*(engine.segment(call) for call in calls))
    encoded = [sum(rows for stage, rows in f.launches if stage == "encode") for f in fakes]
    assert encoded == [3, 3]
    assert sum(rows for f in fakes for stage, rows in f.launches if stage == "decode") == 12


async def test_another_engine_answers_for_one_that_died(start):
    fakes = [SharedFake("fake-small") for _ in range(2)]
    engine = await start(*(partial(members_of, [fake]) for fake in fakes))
    await engine.create_session(replace(CREATE, images=(photo(1),)))
    await engine.segment(ON_SESSION)
    home = next(
        d for d, f in zip(engine._devices, fakes, strict=True) if ("decode", 1) in f.launches
    )
    os.kill(home.pid, signal.SIGKILL)
    await until(lambda: not home.is_ready())
    assert isinstance((await engine.segment(ON_SESSION)).predictions[0], Prediction)


async def test_an_input_that_killed_one_engine_comes_alone_to_the_next(start, caplog):
    fakes = [CrashingFake("fake-small") for _ in range(2)]
    engine = await start(*(partial(members_of, [fake]) for fake in fakes))
    crash = replace(CALL, image=photo(CRASH))
    for deaths in (1, 2):
        with pytest.raises(WorkerFailed):
            await engine.segment(crash)
        await until(lambda deaths=deaths: caplog.text.count("starting another") == deaths)
    assert (await again(engine, crash)).predictions[0].code == Quarantined.code
    for device in engine._devices:
        await until(device.is_ready)


async def test_an_engine_that_cannot_be_forked_is_tried_again(engine, monkeypatch):
    def fail():
        monkeypatch.undo()
        raise OSError("no descriptor left")

    monkeypatch.setattr("suresam.engine.process.child.socket_pair", fail)
    os.kill(pid(engine), signal.SIGKILL)
    assert isinstance((await again(engine, CALL)).predictions[0], Prediction)


async def test_an_engine_that_is_killed_before_it_says_that_it_is_ready_is_replaced(
    start, backbone, monkeypatch
):
    """It is ready by its state already, and whoever waited for that asks it."""
    receive = Child._receive

    def without_answers(child, message):
        if isinstance(message, State):
            receive(child, message)

    monkeypatch.setattr(Child, "_receive", without_answers)
    engine = await start(partial(members_of, [backbone]))
    monkeypatch.undo()
    os.kill(pid(engine), signal.SIGKILL)
    assert isinstance((await again(engine, CALL)).predictions[0], Prediction)


async def out_of_descriptors(suspects):
    raise OSError("no descriptor left")


async def frozen(suspects):
    await asyncio.Event().wait()


@pytest.mark.parametrize("learn", [out_of_descriptors, frozen])
async def test_an_engine_is_replaced_although_another_does_not_hear_of_it(
    start, learn, monkeypatch
):
    monkeypatch.setattr("suresam.engine.process.device._LEARN_S", 0.1)
    engine = await start(*(partial(members_of, [SharedFake("fake-small")]) for _ in range(2)))
    dying, other = engine._devices
    dying.peers = engine._devices
    monkeypatch.setattr(other, "learn", learn)
    os.kill(dying.pid, signal.SIGKILL)
    await until(lambda: not dying.is_ready())
    await until(dying.is_ready)


async def test_closing_while_the_first_engine_starts_leaves_nothing(start, backbone):
    for turns in range(6):
        engine = await start(partial(members_of, [backbone]), wait=False)
        for _ in range(turns):
            await asyncio.sleep(0)
        await engine.close(0)
        assert engine._devices[0].pid is None


async def test_nothing_is_left_of_engines(backbone, pool, telemetry):
    limits = EngineLimits(ImageLimits(), CacheLimits(), BatchLimits())

    def held():
        gc.collect()
        names = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        return Counter(os.readlink(name) for name in names if name.is_symlink())

    async def live():
        device = ProcessDevice(partial(members_of, [backbone]), limits)
        engine = Frontend([device], limits, pool, telemetry)
        engine.start()
        await engine.wait_ready()
        await engine.segment(CALL)
        child = device.pid
        await engine.close(0)
        return child

    for _ in range(2):  # the first bring the server process that forks, and memory that is reused
        await live()
    fds, shared = held(), set(os.listdir("/dev/shm"))
    child = await live()
    await until(lambda: not held() - fds)  # a transport closes in one of the loop's next turns
    left = set(os.listdir("/dev/shm")) - shared

    def is_gone():
        left.intersection_update(os.listdir("/dev/shm"))
        return not left

    await until(is_gone)  # names that other processes of this machine made go with them
    assert str(child) not in os.listdir("/proc")
