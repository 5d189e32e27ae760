"""A file of keys that changes while the service runs."""

import asyncio
import gc
import signal

import pytest
from device import CLICK, until
from engines import members_of
from keys import key_line, refusal

import suresam.app.running
from suresam.access.key import new_key
from suresam.app.compose import compose
from suresam.app.devices import LocalModels
from suresam.app.running import RunningService
from suresam.app.serve import _run
from suresam.errors import Unauthenticated
from suresam.segmentation.fake import FakeBackbone
from suresam.settings import read_settings


@pytest.fixture
def quick_looks(monkeypatch):
    monkeypatch.setattr(suresam.app.running, "_LOOK_AT_FILES_EVERY_S", 0.005)


async def answers(client) -> bool:
    try:
        await client.models()
    except Unauthenticated:
        return False
    return True


async def eventually(client, expected: bool) -> None:
    for _ in range(4000):
        if await answers(client) is expected:
            return
        await asyncio.sleep(0.005)
    pytest.fail("the file was not taken up")


async def test_a_changed_file_is_taken_up_and_a_broken_one_is_not(
    serving, connect, transport, alice, bob, tmp_path, quick_looks, caplog
):
    file = tmp_path / "keys"
    file.write_text(key_line("alice", alice) + "\n")
    async with (
        serving(api_keys_file=str(file)) as running,
        connect(running, transport, api_key=alice) as hers,
        connect(running, transport, api_key=bob) as his,
    ):
        assert (await answers(hers), await answers(his)) == (True, False)
        file.write_text(f"{key_line('alice', alice)}\n{key_line('bob', bob)}\n")
        await eventually(his, True)
        file.write_text(f"{key_line('alice', alice)}\nbob infer {bob}\n")
        await until(lambda: "what was read before still holds" in caplog.text)
        assert (await answers(hers), await answers(his)) == (True, True)
        file.unlink()
        await until(lambda: "cannot read the API keys" in caplog.text)
        assert (await answers(hers), await answers(his)) == (True, True)
        file.write_text(key_line("bob", bob) + "\n")
        await eventually(hers, False)
        assert await answers(his)
        file.write_text("# nobody\n")
        await eventually(his, False)
        assert await refusal(hers.models())
    assert bob not in caplog.text


async def test_the_file_is_read_again_on_sighup(connect, alice, bob, tmp_path, monkeypatch):
    monkeypatch.setattr(suresam.app.running, "_LOOK_AT_FILES_EVERY_S", 1e6)
    monkeypatch.setattr(gc, "freeze", lambda: None)  # all other tests' objects are here as well
    file = tmp_path / "keys"
    file.write_text(key_line("alice", alice))
    settings = read_settings({"http_port": 0, "grpc_port": 0, "api_keys_file": str(file)})
    running = RunningService(compose(settings, LocalModels("fake", members_of([FakeBackbone()]))))
    service = asyncio.create_task(_run(running))
    await until(running.is_ready)
    async with connect(running, "rest", api_key=bob) as client:
        assert not await answers(client)
        file.write_text(key_line("bob", bob))
        signal.raise_signal(signal.SIGHUP)
        await eventually(client, True)
    signal.raise_signal(signal.SIGTERM)
    await service


async def test_a_stream_ends_when_its_key_is_taken_away(serving, connect, alice, tmp_path, photo):
    file = tmp_path / "keys"
    file.write_text(key_line("alice", alice))
    more = asyncio.Event()

    async def clicks():
        yield CLICK
        await more.wait()
        yield CLICK

    async with (
        serving(api_keys_file=str(file)) as running,
        connect(running, "grpc", api_key=alice) as client,
    ):
        session = await client.create_session([photo()])
        stream = client.interact(session.session_id, clicks())
        assert (await anext(stream)).result.error is None
        file.write_text(key_line("somebody", new_key()))
        running.read_files_again()
        more.set()
        with pytest.raises(Unauthenticated, match="taken away"):
            await anext(stream)
