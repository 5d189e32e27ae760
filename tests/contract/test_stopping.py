"""A service that stops: what it still takes, how it answers, and whom it does not wait for."""

import asyncio
import gc
import json
import os
import signal
import sys

import grpc
import pytest
from device import CLICK, hold, until
from engines import members_of

from suresam.app.compose import compose
from suresam.app.devices import LocalModels
from suresam.app.running import RunningService
from suresam.app.serve import _run
from suresam.errors import ServiceError
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub
from suresam.segmentation.fake import FakeBackbone
from suresam.settings import read_settings
from suresam.wire.grpc.metadata import ERROR_CODE_KEY

LONG_S = 60
BODY = b'{"prompts":[{"points":[[1,1]]}]}'
CLICK_HEAD = (
    b"POST /v1/sessions/%s/segment HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n"
)


@pytest.fixture
def fake():
    return FakeBackbone("fake-small")


async def begin_to_stop(running):
    stop = asyncio.create_task(running.stop())
    await until(lambda: running.composition.engine.is_closed)
    return stop


async def read_answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head.split()[1]), headers, json.loads(body)


async def test_new_and_open_connections_are_told_so_during_the_drain_delay(
    serving, connect, photo, fake
):
    head = CLICK_HEAD % (b"mine", len(BODY))
    async with serving(fake, drain_delay_s=LONG_S) as running, connect(running, "rest") as client:
        await client.create_session([photo()], session_id="mine")
        kept = await asyncio.open_connection("127.0.0.1", running.http_port)
        kept[1].write(head + BODY)
        status, headers, _ = await read_answer(kept[0])
        assert (status, "connection" in headers) == (200, False)
        stop = await begin_to_stop(running)
        new = await asyncio.open_connection("127.0.0.1", running.http_port)
        for reader, writer in (kept, new):
            writer.write(head + BODY)
            status, headers, body = await read_answer(reader)
            assert (status, body["error"]["code"]) == (503, "shutting_down")
            assert headers["retry-after"] == "1"
            assert headers["connection"] == "close"
            assert await reader.read() == b""
            writer.close()
        assert not stop.done()
        running.hurry()
        await stop


async def test_a_request_in_progress_is_answered_and_ends_its_connection(
    serving, connect, photo, fake
):
    async with serving(fake) as running, connect(running, "rest") as client:
        await client.create_session([photo()], session_id="mine")
        fake.gate.clear()
        entered = fake.num_entered
        reader, writer = await asyncio.open_connection("127.0.0.1", running.http_port)
        writer.write(CLICK_HEAD % (b"mine", len(BODY)) + BODY)
        await until(lambda: fake.num_entered > entered)
        stop = await begin_to_stop(running)
        fake.gate.set()
        status, headers, body = await read_answer(reader)
        assert (status, len(body["results"])) == (200, 1)
        assert headers["connection"] == "close"
        writer.close()
        await stop


async def test_an_upload_that_has_not_wholly_arrived_is_refused_and_not_waited_for(
    serving, connect, photo, fake
):
    async with serving(fake) as running, connect(running, "rest") as client:
        await client.create_session([photo()], session_id="mine")
        reader, writer = await asyncio.open_connection("127.0.0.1", running.http_port)
        writer.write(CLICK_HEAD % (b"mine", len(BODY)) + BODY[:-1])
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{running.grpc_port}")
        calls = SegmentationStub(channel)
        upload = calls.UploadAndSegment()
        await upload.write(pb.UploadAndSegmentRequest(header=pb.UploadAndSegmentHeader()))
        stream = calls.Interact()
        await stream.write(pb.InteractRequest(header=pb.InteractHeader(session_id="mine")))
        await stream.write(pb.InteractRequest(prompt=pb.Prompt(points=[pb.Point(x=1, y=1)])))
        assert (await stream.read()).index == 0  # and then it is idle
        await until(lambda: running._closing._num_open == 3)
        await running.stop()
        status, _, body = await read_answer(reader)
        assert (status, body["error"]["code"]) == (503, "shutting_down")
        writer.close()
        for call in (upload, stream):
            assert await call.code() == grpc.StatusCode.UNAVAILABLE
            assert dict(await call.trailing_metadata())[ERROR_CODE_KEY] == "shutting_down"
        await channel.close()


async def test_a_second_signal_refuses_what_waits(serving, connect, photo, fake, transport):
    async with (
        serving(fake, drain_s=LONG_S, drain_delay_s=LONG_S) as running,
        connect(running, transport) as client,
    ):
        session = await client.create_session([photo()])
        held = await hold(fake, client, session.session_id)
        waits = asyncio.create_task(client.segment_session(session.session_id, CLICK))
        permits = running.composition.engine._permits
        await until(lambda: permits._in_flight == 2)
        stop = await begin_to_stop(running)
        running.hurry()
        with pytest.raises(ServiceError) as caught:
            await waits
        assert caught.value.code == "shutting_down"
        fake.gate.set()
        assert len((await held).results) == 1
        await stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_models_that_still_warm_up_keep_nobody(number, fake, monkeypatch):
    codes = []
    monkeypatch.setattr(gc, "freeze", lambda: None)  # all other tests' objects are here as well
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(sys.modules["suresam.app.serve"], "_COLD_STOP_S", 0.01)
    monkeypatch.setattr("logging.shutdown", lambda: None)
    fake.gate.clear()
    settings = read_settings({"http_port": 0, "grpc_port": 0, "drain_delay_s": LONG_S})
    running = RunningService(compose(settings, LocalModels("fake", members_of([fake]))))
    service = asyncio.create_task(_run(running))
    await until(lambda: fake.num_entered > 0)
    signal.raise_signal(number)
    await until(lambda: codes)
    fake.gate.set()  # only a test goes on behind `os._exit`
    await service
    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert codes == [0]
