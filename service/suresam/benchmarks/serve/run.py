"""A load test from its options to its phases."""

from dataclasses import dataclass
from typing import Any

from suresam.benchmarks.serve.grpc_clicks import GrpcClicks
from suresam.benchmarks.serve.load_test import LoadTest, Phase, TellCounts
from suresam.benchmarks.serve.options import DEFAULT_PEOPLE, LoadOptions
from suresam.benchmarks.serve.overload import OverloadReport, measure_capacity, overload
from suresam.benchmarks.serve.pictures import Pictures
from suresam.benchmarks.serve.process import raised_priority
from suresam.benchmarks.serve.rest_server import RestServer
from suresam.benchmarks.serve.sweep import CAPACITY_SHARES, sweep
from suresam.benchmarks.serve.target import Target


@dataclass(frozen=True, slots=True)
class Server:
    """Where the load goes.

    Attributes:
        url: of REST.
        grpc: host:port for clicks over gRPC, or None.
        pid: of the process, if it is ours.
    """

    url: str
    grpc: str | None = None
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Phases in their order, and the verdict on an overload where there was one."""

    phases: list[Phase]
    overload: OverloadReport | None = None


async def run_load(options: LoadOptions, server: Server, tell_counts: TellCounts) -> LoadReport:
    """Put a server under load.

    Args:
        options: what to do.
        server: which.
        tell_counts: for progress.

    Raises:
        ConfigurationError: the server cannot be reached, or gives no masks without load.
    """
    asked: dict[str, Any] = {}
    if options.member is not None:
        asked["route"] = {"mode": options.member}
    if options.deadline_ms is not None:
        asked["deadline_ms"] = options.deadline_ms
    rest = RestServer(server.url, asked, options.timeout)
    grpc = None
    try:
        await rest.check_ready()
        if server.grpc is not None:
            grpc = GrpcClicks(server.grpc, options.member, options.timeout, options.deadline_ms)
            await grpc.check_ready()
        test = LoadTest(
            Target(rest, grpc or rest),
            Pictures(options.sizes, options.seed),
            seed=options.seed,
            goal_ms=options.goal_ms,
            max_lag_ms=options.max_lag_ms,
            tell_counts=tell_counts,
            pid=server.pid,
        )
        with raised_priority():
            return await _run(options, test)
    finally:
        rest.close()
        if grpc is not None:
            await grpc.close()


async def _run(options: LoadOptions, test: LoadTest) -> LoadReport:
    load, seconds, people = options.load, options.seconds, options.people or DEFAULT_PEOPLE
    if options.rates is not None:
        return LoadReport(await sweep(test, load, options.rates, seconds))
    if options.overload is not None:
        report, phases = await overload(test, load, options.overload, people, seconds)
        return LoadReport(phases, report)
    if options.people is not None:
        return LoadReport([await test.people(people, seconds)])
    capacity = await measure_capacity(test, load, people, seconds)
    per_s = capacity.measured.goodput.answered / seconds
    rates = [share * per_s for share in CAPACITY_SHARES]
    return LoadReport([capacity, *await sweep(test, load, rates, seconds)])
