"""64 callers, each with a picture of its own, beside a bare loop over the same device."""

import argparse
import asyncio
import statistics
from collections.abc import Iterator

from bench.bare_loop import bare_rows_per_s
from bench.holds.service import fake_service, load_test
from bench.holds.verdict import Verdict

from suresam.benchmarks.server_process import ServerProcess

NEEDED_RATIO = 0.9


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--callers", type=int, default=64)
    add("--seconds", type=float, default=8.0, help="of each transport in each round (default: 8)")
    add("--rounds", type=int, default=3, help="(default: 3)")
    add("--rows", type=int, default=16, help="of a full launch, which takes 20 ms (default: 16)")
    add("--size", default="640x480", help="of the pictures (default: 640x480)")


def run(options: argparse.Namespace) -> Iterator[Verdict]:
    ratios: dict[str, list[float]] = {"REST": [], "gRPC": []}
    # One server for both, and the device alone in between: a slow moment hits all alike.
    with fake_service("--max-decode-batch", str(options.rows)) as server:
        for number in range(options.rounds):
            bare = bare_rows_per_s(options.seconds / 2, options.size, options.rows)
            told = [f"bare loop {bare:.0f} rows/s"]
            for transport, so_far in ratios.items():
                rows_per_s, p50_ms = asyncio.run(_rows_per_s(server, transport, options))
                so_far.append(rows_per_s / bare)
                told.append(f"{transport} {rows_per_s:.0f} (p50 {p50_ms:.0f} ms)")
            print(f"round {number + 1}: {', '.join(told)}", flush=True)
    for transport, so_far in ratios.items():
        rounds = " ".join(f"{ratio:.2f}" for ratio in so_far)
        yield Verdict(
            f"{transport}, {options.callers} callers, launches of {options.rows} rows: "
            "rows/s over those of a bare loop",
            f"{statistics.median(so_far):.2f} ({rounds})",
            f">= {NEEDED_RATIO}",
            statistics.median(so_far) >= NEEDED_RATIO,
        )


async def _rows_per_s(
    server: ServerProcess, transport: str, options: argparse.Namespace
) -> tuple[float, float]:
    async with load_test(server, transport, options.size, goal_ms=float("inf")) as test:
        phase = await test.people(options.callers, options.seconds)
    errors = sum(errors.took.count for errors in phase.measured.errors)
    assert errors == 0, f"{errors} of the callers' requests failed: {phase.measured.errors}"
    p50_ms = phase.measured.clicks.p50_ms
    assert p50_ms is not None, "somebody was answered"
    return phase.measured.goodput.answered / options.seconds, p50_ms
