"""Device time is owed by whom it was spent for, whether or not anybody waits for the answer."""

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from device import until
from engines import CALL, CREATE, SharedFake, click, held, members_of

from suresam.engine.cache import CacheLimits
from suresam.engine.frontend import Frontend
from suresam.engine.limits import EngineLimits
from suresam.engine.local import LocalDevice
from suresam.engine.process.device import ProcessDevice
from suresam.engine.scheduler import BatchLimits
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.images import ImageLimits

FREE = replace(CALL, is_free=True)


@pytest.fixture(params=["local", "process"])
def place(request):
    return request.param


@pytest.fixture
def backbone(place):
    return (FakeBackbone if place == "local" else SharedFake)("fake-small")


@pytest.fixture
def owed():
    """Milliseconds by tenant."""
    return Counter()


@pytest.fixture
async def engine(place, backbone, pool, telemetry, owed):
    def charge(tenant, device_ms):
        owed[tenant] += device_ms

    limits = EngineLimits(ImageLimits(), CacheLimits(), BatchLimits())
    if place == "local":
        device = LocalDevice(members_of([backbone]), limits, pool, telemetry, charge=charge)
    else:
        device = ProcessDevice(partial(members_of, [backbone]), limits, charge)
    engine = Frontend([device], limits, pool, telemetry)
    engine.start()
    await engine.wait_ready()
    backbone.launches.clear()
    yield engine
    backbone.gate.set()
    await engine.close(0)


async def test_what_receipts_tell_is_owed_by_then(engine, owed):
    reply = await engine.segment(replace(CALL, prompts=click(1, 2, 7)))
    assert owed == {"t": pytest.approx(sum(reply.spent_ms))}
    before = owed["t"]
    await engine.create_session(replace(CREATE, tenant="u"))
    assert owed["t"] == before
    assert owed["u"] > 0


async def test_who_hangs_up_while_the_device_works_owes_what_it_did(engine, backbone, owed):
    call = await held(engine, backbone)
    call.cancel()
    await asyncio.wait({call})
    assert owed == {}
    backbone.gate.set()
    await until(lambda: owed["t"] > 0)
    assert list(backbone.launches) == [("encode", 1)]


async def test_what_nobody_asked_for_is_owed_by_nobody(engine, owed):
    reply = await engine.segment(FREE)
    assert reply.spent_ms[0] > 0
    assert owed == {}


@pytest.mark.parametrize("place", ["local"], indirect=True)  # where we see who waits
async def test_who_joins_an_encode_that_nobody_paid_for_owes_it(engine, backbone, owed):
    free = await held(engine, backbone, FREE)
    [shared] = engine._devices[0]._engines["fake-small"]._encodes.values()
    paying = asyncio.create_task(engine.segment(CALL))
    await until(lambda: shared.num_waiting == 2)
    backbone.gate.set()
    first, second = await asyncio.gather(free, paying)
    launches_ms = first.spent_ms[0] + second.spent_ms[0]
    assert 0 < first.timings_ms.encode < owed["t"] < launches_ms
