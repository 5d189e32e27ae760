"""The real command in a process of its own, with the bundled models."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from suresam.benchmarks.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "suresam.cli")
PATIENCE_S = 280
"""For a command of seconds: a busy machine needs many times as long."""


def run_suresam(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )


@contextmanager
def ended_by(number: signal.Signals, *options: str) -> Iterator[ServerProcess]:
    """A server that a signal is to end, with exit code 0, when the work with it is done."""
    with ServerProcess(options) as server:
        yield server
        assert server.stop(number) == 0


PATIENT = ("--default-deadline-ms", "120000")
"""A busy machine must not have requests refused that nothing is wrong with."""


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """One server with the demo family for all tests that only ask it."""
    # A launch of several images is over the default cap in milliseconds on a slow machine.
    with ServerProcess(["--max-encode-ms", "10000", *PATIENT]) as server:
        yield server
