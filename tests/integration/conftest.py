"""The real command in a process of its own, with the bundled models."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "suresam.cli")


@dataclass
class Server:
    """A running `suresam serve`."""

    process: subprocess.Popen
    greeting: str
    url: str
    address: str

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=40)


def start_server(*options: str) -> Server:
    """Start `suresam serve` on free ports and wait for its greeting."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--http-port", "0", "--grpc-port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "curl" in line:
            break
    greeting = "".join(lines)
    assert process.poll() is None, f"the server ended: {greeting}"
    url = re.search(r"REST +(http://\S+)", greeting)
    address = re.search(r"gRPC +(\S+)", greeting)
    return Server(process, greeting, url.group(1), address.group(1))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server with the demo family for all tests that only ask it."""
    server = start_server()
    yield server
    server.process.stdout.close()
    assert server.stop() == 0
