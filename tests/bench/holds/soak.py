"""Thousands of clicks on the bundled models: does anything grow?"""

import argparse
import asyncio
import statistics
from collections.abc import Iterator

from bench.holds.service import target_of
from bench.holds.verdict import Verdict

from suresam.benchmarks.serve.exchange import OK
from suresam.benchmarks.serve.pictures import Picture, Pictures, parse_sizes
from suresam.benchmarks.serve.resident_memory import resident_bytes
from suresam.benchmarks.serve.server_metrics import read_samples
from suresam.benchmarks.serve.target import Target
from suresam.benchmarks.server_process import ServerProcess
from suresam.domain import Point

MAX_GROWTH = 0.03
"""Of resident memory, from the second tenth of the clicks to the last."""

_CACHE_BYTES = 32 * 2**20
"""Some thirty pictures: slots are full soon and taken over from then on."""

_TENTHS = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--clicks", type=int, default=20_000, help="(default: 20000)")
    add("--people", type=int, default=16, help="(default: 16)")
    add("--member", default="demo-small", help="of the demo family (default: demo-small)")
    add("--visit", type=int, default=50, help="clicks on a picture (default: 50)")
    add("--size", default="320x240", help="of the pictures (default: 320x240)")


def run(options: argparse.Namespace) -> Iterator[Verdict]:
    command = ["--models", options.member, "--cache-bytes", str(_CACHE_BYTES)]
    with ServerProcess(command) as server:
        resident, cached, sessions = asyncio.run(_soak(server, options))
    early, late = statistics.median(resident[1:3]), statistics.median(resident[-2:])
    growth = late / early - 1
    yield Verdict(
        f"resident memory over {options.clicks} clicks, last two tenths over second and third",
        f"{growth:+.1%} of {early / 2**20:.0f} MiB",
        f"<= {MAX_GROWTH:.0%}",
        growth <= MAX_GROWTH,
    )
    yield Verdict(
        "bytes in slots, third tenth and last",
        f"{cached[2]:.0f} {cached[-1]:.0f}",
        "equal",
        cached[-1] == cached[2],
    )
    yield Verdict("sessions afterwards", f"{sessions:g}", "0", sessions == 0)


async def _soak(
    server: ServerProcess, options: argparse.Namespace
) -> tuple[list[int], list[float], float]:
    """Resident and cached bytes after every tenth of the clicks, and sessions at the end."""
    pictures = Pictures(parse_sizes(options.size), seed=0)
    resident: list[int] = []
    cached: list[float] = []
    num_clicks = 0
    async with target_of(server, "REST") as target:

        async def person() -> None:
            nonlocal num_clicks
            while num_clicks < options.clicks:
                picture = pictures.another()
                session_id = await target.upload_surely(picture)
                for number in range(options.visit):
                    reply = await target.clicks.click(session_id, _place(picture, number))
                    assert reply.code == OK, f"a click failed: {reply.code}"
                    num_clicks += 1
                    if num_clicks % (options.clicks // _TENTHS) == 0:
                        await note()
                await target.rest.delete(session_id)

        async def note() -> None:
            rss = resident_bytes(server.pid)
            assert rss is not None, "the server runs"
            resident.append(rss)
            cached.append(await _metric(target, "suresam_cache_bytes"))
            print(f"{num_clicks} clicks: {rss / 2**20:.0f} MiB, {cached[-1]:.0f} bytes in slots",
                flush=True)  # fmt: skip

        await asyncio.gather(*(person() for _ in range(options.people)))
        return resident, cached, await _metric(target, "suresam_sessions")


def _place(picture: Picture, number: int) -> Point:
    share = (number % 9 + 1) / 10
    return Point(share * picture.width, (1 - share) * picture.height)


async def _metric(target: Target, name: str) -> float:
    text = await target.rest.metrics()
    assert text is not None, "the server tells its metrics"
    return sum(value for (found, _), value in read_samples(text).items() if found == name)
