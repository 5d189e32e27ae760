"""What tests share: small photographs, the real servers round a fake device, and clients."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import torch
from clock import Clock
from hypothesis import HealthCheck, settings
from PIL import Image

from suresam.app.compose import compose
from suresam.app.devices import LocalModels
from suresam.app.running import RunningService
from suresam.client import AsyncClient, AsyncGrpcClient, RetryPolicy
from suresam.engine.local import Member
from suresam.segmentation.fake import FakeBackbone
from suresam.settings import read_settings
from suresam.uncertainty.member_heads import MemberHeads

Photo = Callable[..., bytes]
Serving = Callable[..., AbstractAsyncContextManager[RunningService]]
AnyClient = AsyncClient | AsyncGrpcClient

ONCE = RetryPolicy(max_attempts=1)

# The same examples every time, however slow the machine: a run tells of the change before it.
settings.register_profile(
    "suresam", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suresam")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What needs a GPU skips where there is none."""
    if item.get_closest_marker("gpu") is not None and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")


@pytest.fixture(scope="session")
def photo() -> Photo:
    """Makes image files of one colour; the red value is what the fake device sees."""

    def make(width: int = 64, height: int = 48, red: int = 10, fmt: str = "PNG") -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (width, height), (red, 80, 90)).save(buffer, fmt)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def photo_640x480(photo: Photo) -> bytes:
    """A photograph of the size that messages in the tests name."""
    return photo(640, 480)


@pytest.fixture
def serving() -> Serving:
    """The real REST and gRPC servers on free ports round fake devices."""

    @asynccontextmanager
    async def serve(
        *backbones: FakeBackbone,
        warm: bool = True,
        heads: dict[str, MemberHeads] | None = None,
        **settings: Any,
    ) -> AsyncIterator[RunningService]:
        chosen = backbones or (FakeBackbone("fake-small"), FakeBackbone("fake-large"))
        roles = [("small",), *[() for _ in chosen[1:-1]], ("large",)][: len(chosen)]
        members = [
            Member(backbone, role, "0" * 64, "none", (heads or {}).get(backbone.name))
            for backbone, role in zip(chosen, roles, strict=True)
        ]
        overrides = {"http_port": 0, "grpc_port": 0, "drain_s": 5, "drain_delay_s": 0, **settings}
        running = RunningService(compose(read_settings(overrides), LocalModels("fake", members)))
        await running.start()
        try:
            if warm:
                await running.warm_up()
            yield running
        finally:
            for backbone in chosen:
                backbone.gate.set()
            await running.stop()

    return serve


def client_of(running: RunningService, transport: str, **options: Any) -> AnyClient:
    """A client of a running service that shows every refusal at once."""
    options = {"retry": ONCE, **options}
    if transport == "rest":
        return AsyncClient(f"http://127.0.0.1:{running.http_port}", **options)
    return AsyncGrpcClient(f"127.0.0.1:{running.grpc_port}", **options)


@pytest.fixture
def connect() -> Callable[..., AnyClient]:
    """Makes a client of a running service: `connect(running, "rest" or "grpc")`."""
    return client_of


@pytest.fixture
def clock() -> Clock:
    """One that a test sets."""
    return Clock()


@pytest.fixture(params=["rest", "grpc"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each of the two transports."""
    return str(request.param)
