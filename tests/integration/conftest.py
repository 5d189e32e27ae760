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
    with ServerProcess() as server:
        yield server
