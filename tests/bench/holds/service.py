"""The servers that are checked, each in a process of its own, and load on them."""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bench.contestant import child_environment
from bench.fake_server import COMMAND

from suresam.benchmarks.serve.load_test import LoadTest
from suresam.benchmarks.serve.pictures import Pictures, parse_sizes
from suresam.benchmarks.serve.process import raised_priority
from suresam.benchmarks.serve.target import Target, open_target
from suresam.benchmarks.server_process import ServerProcess
from suresam.evaluation.progress import tell_counts

MAX_LAG_MS = 20.0
_TIMEOUT_S = 30.0


def fake_service(*options: str) -> ServerProcess:
    """Round the fake device."""
    return ServerProcess(options, COMMAND, child_environment())


@asynccontextmanager
async def target_of(server: ServerProcess, transport: str) -> AsyncIterator[Target]:
    """A server whose clicks go over "REST" or "gRPC", for a generator of raised priority."""
    async with _opened(server, transport, None) as target:
        with raised_priority():
            yield target


def _opened(
    server: ServerProcess, transport: str, deadline_ms: float | None
) -> AbstractAsyncContextManager[Target]:
    grpc = server.address if transport == "gRPC" else None
    return open_target(server.url, grpc, timeout_s=_TIMEOUT_S, deadline_ms=deadline_ms)


@asynccontextmanager
async def load_test(
    server: ServerProcess,
    transport: str,
    sizes: str,
    *,
    goal_ms: float,
    seed: int = 0,
    deadline_ms: float | None = None,
) -> AsyncIterator[LoadTest]:
    """Load on a server."""
    async with (
        target_of(server, transport) as patient,
        _opened(server, transport, deadline_ms) as target,
    ):
        yield LoadTest(
            target,
            Pictures(parse_sizes(sizes), seed=seed),
            seed=seed,
            goal_ms=goal_ms,
            max_lag_ms=MAX_LAG_MS,
            tell_counts=lambda what: tell_counts(what, sys.stderr),
            pid=server.pid,
            patient=patient,
        )
