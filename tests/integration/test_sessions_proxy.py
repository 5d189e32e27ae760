"""Through the Envoy of k8s/ a session stays with the server that knows it."""

import httpx
from device import CLICK, value
from integration.envoy_process import Proxy, envoy
from programs import program

from suresam.client import AsyncClient, AsyncGrpcClient
from suresam.segmentation.fake import FakeBackbone

SOME = 6
MOST = 60  # that all of so many belong to one of two servers does not happen


async def test_sessions_are_found_again_and_divided_among_the_servers(serving, photo, tmp_path):
    program("envoy")
    async with (
        serving(FakeBackbone()) as one,
        serving(FakeBackbone()) as other,
        envoy(tmp_path, (one, other)) as proxy,
        AsyncClient(f"http://{proxy.http}") as rest,
        AsyncGrpcClient(proxy.grpc) as grpc,
    ):
        for transport, client in (("rest", rest), ("grpc", grpc)):
            before = [value(server, "sessions") for server in (one, other)]
            new = [0.0, 0.0]
            while sum(new) < SOME or not all(new):
                name = f"{transport}-{sum(new):.0f}"
                await client.create_session([photo()], name)
                assert (await client.segment_session(name, CLICK)).results[0].masks
                now = [value(server, "sessions") for server in (one, other)]
                new = [more - less for more, less in zip(now, before, strict=True)]
                assert sum(new) < MOST, new
        await check_sessions_that_name_no_id(proxy, photo())


async def check_sessions_that_name_no_id(proxy: Proxy, photo: bytes) -> None:
    """As from curl: only the answer's id, in later paths, says which session it is."""
    async with httpx.AsyncClient(base_url=f"http://{proxy.http}", timeout=60) as client:
        for _ in range(SOME):
            made = await client.post("/v1/sessions", files={"image": photo})
            path = f"/v1/sessions/{made.json()['session_id']}"
            assert (await client.get(path)).status_code == 200
