"""The real command in a process of its own, with the bundled models."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from suresam.benchmarks.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "suresam.cli")


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """One server with the demo family for all tests that only ask it."""
    # A launch of several images is over the default cap in milliseconds on a slow machine.
    with ServerProcess(["--max-encode-ms", "10000"]) as server:
        yield server
