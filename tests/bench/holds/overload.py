"""Three times the capacity, offered to the servers round the fake device."""

import argparse
import asyncio
from collections.abc import Iterator

from bench.holds.service import fake_service, load_test
from bench.holds.verdict import Verdict

from suresam.benchmarks.serve.overload import OverloadReport, overload
from suresam.benchmarks.serve.report import overload_lines, phase_table
from suresam.benchmarks.serve.visits import Load
from suresam.benchmarks.server_process import ServerProcess

NEEDED_GOODPUT = 0.9
MAX_REFUSAL_MS = 50.0
MAX_RECOVERY_S = 5.0
MAX_GROWTH = 0.05
GOAL_MS = 250.0


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--factor", type=float, default=3.0, help="of the capacity (default: 3)")
    add("--people", type=int, default=16, help="who measure the capacity (default: 16)")
    add("--seconds", type=float, default=10.0, help="of each of the four phases (default: 10)")
    add("--rows", type=int, default=2, help="of a full launch, which takes 20 ms: a server can "
        "refuse in time only if its device is busy before its cores are (default: 2)")  # fmt: skip
    add("--size", default="320x240", help="of the pictures (default: 320x240)")
    add("--transport", choices=("REST", "gRPC"), default="REST", help="of the clicks")


def run(options: argparse.Namespace) -> Iterator[Verdict]:
    with fake_service("--max-decode-batch", str(options.rows)) as server:
        report = asyncio.run(_overload(server, options))
    of_peak, refusal_ms = report.goodput_of_peak, report.refusals.p99_ms
    yield Verdict(
        f"clicks within {GOAL_MS:g} ms at {options.factor:g} x capacity, over their peak",
        "-" if of_peak is None else f"{of_peak:.2f}",
        f">= {NEEDED_GOODPUT}",
        of_peak is not None and of_peak >= NEEDED_GOODPUT,
    )
    with_uploads = report.requests_of_peak
    yield Verdict(
        "the same, clicks and the visitors' uploads",
        "-" if with_uploads is None else f"{with_uploads:.2f}",
        f">= {NEEDED_GOODPUT}",
        with_uploads is not None and with_uploads >= NEEDED_GOODPUT,
    )
    yield Verdict(
        f"{report.refusals.count} refusals told after, p99",
        "-" if refusal_ms is None else f"{refusal_ms:.0f} ms",
        f"<= {MAX_REFUSAL_MS:g} ms",
        refusal_ms is not None and refusal_ms <= MAX_REFUSAL_MS,
    )
    recovery_s = report.recovery_s
    yield Verdict(
        "latency normal again after",
        "longer than the phase" if recovery_s is None else f"{recovery_s:g} s",
        f"<= {MAX_RECOVERY_S:g} s",
        recovery_s is not None and recovery_s <= MAX_RECOVERY_S,
    )
    before, after = report.resident_before_bytes, report.resident_recovered_bytes
    if before is not None and after is not None:
        growth = after / before - 1
        yield Verdict(
            "resident memory after it over that before",
            f"{growth:+.1%} of {before / 2**20:.0f} MiB",
            f"<= {MAX_GROWTH:.0%}",
            growth <= MAX_GROWTH,
        )


async def _overload(server: ServerProcess, options: argparse.Namespace) -> OverloadReport:
    async with load_test(
        server, options.transport, options.size, goal_ms=GOAL_MS, deadline_ms=GOAL_MS
    ) as test:
        report, phases = await overload(
            test, Load(rate=0.0), options.factor, options.people, options.seconds
        )
    print("\n".join([*phase_table(phases), "", *overload_lines(report)]))
    return report
