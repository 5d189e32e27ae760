"""A server that is compared, in processes of its own that stand still while others are measured."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suresam.errors import ConfigurationError

TESTS = Path(__file__).resolve().parents[1]

_READY_S = 120.0
_STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who is compared.

    Attributes:
        name: in the table.
        module: that is run, with `--port` or what `port_option` says.
        arguments: of it.
        port_option: how the port is told.
        asks: JSON fields of every request to it.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    port_option: str = "--port"
    asks: dict[str, Any] = field(default_factory=dict)


class Standing:
    """A contestant's running server: started in `with`, paused until it is `awake`.

    A paused server costs the one that is measured nothing, whatever it does when idle.
    """

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            (sys.executable, "-m", contestant.module, *contestant.arguments,
             contestant.port_option, str(port)),
            env=child_environment(),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            self._wait_ready()
        except BaseException:
            self._stop()
            raise
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it run."""
        self._signal(signal.SIGCONT)

    def pause(self) -> None:
        """Hold all its processes."""
        self._signal(signal.SIGSTOP)

    def __enter__(self) -> "Standing":
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGCONT)
        self._stop()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ConfigurationError(f"{self.contestant.name} ended before it was ready")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.2)
        raise ConfigurationError(f"{self.contestant.name} was not ready within {_READY_S:g} s")

    def _stop(self) -> None:
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        # What it started and left behind has its process group.
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def child_environment() -> dict[str, str]:
    """Ours, with the folder of the tests among the places of modules."""
    paths = (str(TESTS), os.environ.get("PYTHONPATH", ""))
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def contestants(member: str) -> Sequence[Contestant]:
    """All of them, ours first."""
    # The port is told by its option; gRPC takes any.
    ours = ("serve", "--grpc-port", "0", "--log-level", "error", "--models", member)
    same = ("--member", member)
    masks_only = {"uncertainty": {"methods": []}}
    return (
        Contestant("ours", "suresam.cli", ours, "--http-port"),
        Contestant("ours-masks", "suresam.cli", ours, "--http-port", masks_only),
        Contestant("naive", "bench.naive", same),
        Contestant("cached", "bench.naive", (*same, "--keep", "100")),
        Contestant("litserve", "bench.lit", same),
    )
