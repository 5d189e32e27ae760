"""A load test from its options to its phases."""

from dataclasses import dataclass, field
from functools import partial

from suresam.benchmarks.serve.load_test import LoadTest, Phase, TellCounts
from suresam.benchmarks.serve.options import DEFAULT_PEOPLE, LoadOptions
from suresam.benchmarks.serve.overload import OverloadReport, measure_capacity, overload
from suresam.benchmarks.serve.pictures import Pictures
from suresam.benchmarks.serve.process import raised_priority
from suresam.benchmarks.serve.sweep import CAPACITY_SHARES, sweep
from suresam.benchmarks.serve.target import open_target


@dataclass(frozen=True, slots=True)
class Server:
    """Where the load goes.

    Attributes:
        url: of REST.
        grpc: host:port for clicks over gRPC, or None.
        pid: of the process, if it is ours.
        api_key: that it wants, or None for what the environment says.
    """

    url: str
    grpc: str | None = None
    pid: int | None = None
    api_key: str | None = field(default=None, repr=False)


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
    opened = partial(
        open_target,
        server.url,
        server.grpc,
        member=options.member,
        timeout_s=options.timeout,
        api_key=server.api_key,
    )
    async with opened(deadline_ms=options.deadline_ms) as target, opened() as patient:
        test = LoadTest(
            target,
            Pictures(options.sizes, options.seed),
            seed=options.seed,
            goal_ms=options.goal_ms,
            max_lag_ms=options.max_lag_ms,
            tell_counts=tell_counts,
            pid=server.pid,
            patient=patient,
        )
        with raised_priority():
            return await _run(options, test)


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
