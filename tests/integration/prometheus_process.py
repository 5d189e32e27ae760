"""A real Prometheus with the committed configuration, in its own process."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from programs import ROOT, program

CONFIG = ROOT / "docker/prometheus/prometheus.yml"
STEP = "500ms"


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, path: str, **parameters: str) -> Any:
        """The data of an API's answer."""
        answer = await self._client.get(f"/api/v1/{path}", params=parameters)
        body = answer.json()
        assert body["status"] == "success", (parameters, body)
        return body["data"]

    async def values(self, expr: str) -> list[float]:
        """An instant query's figures."""
        data = await self.ask("query", query=expr)
        assert data["resultType"] == "vector", expr
        return [float(sample["value"][1]) for sample in data["result"]]


@asynccontextmanager
async def prometheus(folder: Path, target: str, key: str) -> AsyncIterator[Prometheus]:
    """Scrapes one address several times a second, with the committed rules, until the end.

    Args:
        folder: for its files.
        target: host and port.
        key: with the scope metrics.
    """
    config = _write_config(folder, target, key)
    for _ in range(5):  # between choosing a port and taking it somebody else may
        address = f"127.0.0.1:{_free_port()}"
        process = _start(folder, config, address)
        try:
            async with httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as client:
                if await _is_ready(process, client):
                    yield Prometheus(client)
                    return
        finally:
            process.terminate()
            process.wait(timeout=30)
    raise AssertionError((folder / "log").read_text())


def _write_config(folder: Path, target: str, key: str) -> Path:
    config = yaml.safe_load(CONFIG.read_text())
    times = ("scrape_interval", "scrape_timeout", "evaluation_interval")
    config["global"] = dict.fromkeys(times, STEP)
    [job] = config["scrape_configs"]
    job["static_configs"] = [{"targets": [target]}]
    job["authorization"] = {"credentials": key}
    for name in config["rule_files"]:
        rules = yaml.safe_load((CONFIG.parent / name).read_text())
        for group in rules["groups"]:
            group.pop("interval", None)
        (folder / name).write_text(yaml.safe_dump(rules))
    path = folder / CONFIG.name
    path.write_text(yaml.safe_dump(config))
    return path


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _start(folder: Path, config: Path, address: str) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )


async def _is_ready(process: "subprocess.Popen[bytes]", client: httpx.AsyncClient) -> bool:
    """Whether it came up; False if it ended."""
    while process.poll() is None:
        try:
            if (await client.get("/-/ready")).is_success:
                return True
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)
    return False
