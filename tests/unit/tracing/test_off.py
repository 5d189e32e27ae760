"""Who does not ask for traces does not load what makes them."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]

SERVE = """
import asyncio, sys
from engines import members_of, photo
from suresam.app.compose import compose
from suresam.app.devices import LocalModels
from suresam.app.running import RunningService
from suresam.client import AsyncClient, AsyncGrpcClient
from suresam.domain import Point, Prompt
from suresam.segmentation.fake import FakeBackbone
from suresam.settings import read_settings

async def main():
    fakes = [FakeBackbone("fake-small"), FakeBackbone("fake-large")]
    models = LocalModels("fake", members_of(fakes))
    running = RunningService(compose(read_settings({"http_port": 0, "grpc_port": 0}), models))
    await running.start()
    await running.warm_up()
    async with (
        AsyncClient(f"http://127.0.0.1:{running.http_port}") as rest,
        AsyncGrpcClient(f"127.0.0.1:{running.grpc_port}") as grpc,
    ):
        for client in (rest, grpc):
            assert (await client.segment(photo(), Prompt(points=[Point(1, 1)]))).results[0].masks
    await running.stop()

asyncio.run(main())
# FastAPI loads the interface, `opentelemetry.trace`, by itself.
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exp"))])
print([name for name in sys.modules if name.startswith("suresam.tracing.")])
"""


def test_a_server_without_a_collector_loads_no_sdk():
    told = subprocess.run(
        [sys.executable, "-c", SERVE], cwd=TESTS, capture_output=True, text=True, timeout=280
    )
    assert told.returncode == 0, told.stderr
    sdk, ours = map(eval, told.stdout.splitlines())
    assert sdk == []
    assert set(ours) == {f"suresam.tracing.{name}" for name in ("current", "headers", "passage")}
