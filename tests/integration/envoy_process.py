"""A real Envoy with the committed configuration, in its own process."""

import asyncio
import re
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from programs import ROOT, program

from suresam.app.running import RunningService

CONFIG = ROOT / "k8s/components/sessions/envoy.yaml"
PATIENCE_S = 60


class Proxy(NamedTuple):
    """Where Envoy listens."""

    http: str
    grpc: str


@asynccontextmanager
async def envoy(folder: Path, servers: Sequence[RunningService]) -> AsyncIterator[Proxy]:
    """Serves from when it knows that all servers are ready, each on both ports."""
    config, admin, log = folder / "envoy.yaml", folder / "admin", folder / "log"
    config.write_text(_local(CONFIG.read_text(), servers))
    process = _start(config, admin, log)

    async def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        return admin.is_file() and admin.read_text() != ""

    try:
        await _until(is_up)
        async with httpx.AsyncClient(base_url=f"http://{admin.read_text()}", timeout=30) as client:

            async def are_ready() -> bool:
                return await _num_healthy(client) == 2 * len(servers)

            await _until(are_ready)
            listening = await _ask(client, "/listeners")
        yield Proxy(
            **{
                listener["name"]: "127.0.0.1:{port_value}".format(
                    **listener["local_address"]["socket_address"]
                )
                for listener in listening["listener_statuses"]
            }
        )
    finally:
        process.terminate()
        process.wait(timeout=30)


def _local(config: str, servers: Sequence[RunningService]) -> str:
    """On free ports of this machine, with servers in place of pods."""
    config, num_listeners = re.subn(
        r"(0\.0\.0\.0|127\.0\.0\.1), port_value: \d+", "127.0.0.1, port_value: 0", config
    )
    assert num_listeners == 3
    for port, name in (("8080", "http_port"), ("50051", "grpc_port")):
        pod = f"suresam-pods, port_value: {port}"
        [endpoint] = re.findall(rf" +- endpoint:\n.*\n.*{pod}}}\n?", config)
        ours = (f"127.0.0.1, port_value: {getattr(server, name)}" for server in servers)
        config = config.replace(endpoint, "".join(endpoint.replace(pod, one) for one in ours))
    return config


def _start(config: Path, admin: Path, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as stream:
        return subprocess.Popen(
            [
                program("envoy"),
                *("--config-path", config, "--admin-address-path", admin),
                *("--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"),
            ],
            stdout=stream,
            stderr=stream,
        )


async def _num_healthy(client: httpx.AsyncClient) -> int:
    told = await _ask(client, "/clusters")
    hosts = [host for cluster in told["cluster_statuses"] for host in cluster["host_statuses"]]
    return sum(host["health_status"] == {"eds_health_status": "HEALTHY"} for host in hosts)


async def _ask(client: httpx.AsyncClient, path: str) -> Any:
    return (await client.get(path, params={"format": "json"})).json()


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    gives_up_at = time.monotonic() + PATIENCE_S
    while not await holds():
        assert time.monotonic() < gives_up_at, "it never came to hold"
        await asyncio.sleep(0.02)
