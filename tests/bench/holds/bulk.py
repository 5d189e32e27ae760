"""Clickers beside somebody who uploads picture after picture, round the fake device."""

import argparse
import asyncio
import statistics
from collections.abc import Iterator

import numpy as np
from bench.fake_device import LAUNCH_MS
from bench.holds.service import fake_service, target_of
from bench.holds.verdict import Verdict

from suresam.benchmarks.serve.arrivals import arrival_times
from suresam.benchmarks.serve.exchange import OK
from suresam.benchmarks.serve.measurements import percentile
from suresam.benchmarks.serve.pictures import Pictures, parse_sizes
from suresam.benchmarks.serve.target import Target
from suresam.benchmarks.server_process import ServerProcess
from suresam.domain import Point

_CLICKERS = 16


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--rate", type=float, default=60.0, help="clicks a second, Poisson (default: 60)")
    add("--uploads", type=int, default=4, help="in progress at a time (default: 4)")
    add("--seconds", type=float, default=8.0, help="with and without, in each round (default: 8)")
    add("--rounds", type=int, default=5, help="(default: 5)")
    add("--size", default="640x480", help="of the pictures (default: 640x480)")
    add("--transport", choices=("REST", "gRPC"), default="REST", help="of the clicks")


def run(options: argparse.Namespace) -> Iterator[Verdict]:
    with fake_service() as server:
        rises = [asyncio.run(_rise_ms(server, number, options)) for number in range(options.rounds)]
    rise_ms = statistics.median(rises)
    yield Verdict(
        f"click p99 beside {options.uploads} uploads at a time, above that without",
        f"{rise_ms:.0f} ms ({' '.join(f'{rise:.0f}' for rise in rises)})",
        f"<= {LAUNCH_MS:g} ms, one encode launch",
        rise_ms <= LAUNCH_MS,
    )


async def _rise_ms(server: ServerProcess, number: int, options: argparse.Namespace) -> float:
    """How much longer the clicks of one round take, p99."""
    async with target_of(server, options.transport) as target:
        pictures = Pictures(parse_sizes(options.size), seed=number)
        places = [(picture.width, picture.height) for picture in [pictures.another()]]
        sessions = [await target.upload_surely(pictures.another()) for _ in range(_CLICKERS)]
        middle = Point(places[0][0] / 2, places[0][1] / 2)
        rng = np.random.default_rng(number)
        alone_ms = await _clicks_p99_ms(target, sessions, middle, rng, options)
        uploading = [
            asyncio.create_task(_upload_without_end(target, pictures))
            for _ in range(options.uploads)
        ]
        beside_ms = await _clicks_p99_ms(target, sessions, middle, rng, options)
        for task in uploading:
            task.cancel()
        ends = await asyncio.gather(*uploading, return_exceptions=True)
        num_uploads = [task for task in ends if not isinstance(task, asyncio.CancelledError)]
        assert not num_uploads, f"an uploader ended: {num_uploads}"
        for session in sessions:
            await target.rest.delete(session)
    print(f"round {number + 1}: p99 {alone_ms:.0f} ms alone, {beside_ms:.0f} ms beside uploads")
    return beside_ms - alone_ms


async def _clicks_p99_ms(
    target: Target,
    sessions: list[str],
    place: Point,
    rng: np.random.Generator,
    options: argparse.Namespace,
) -> float:
    now = asyncio.get_running_loop().time
    begin = now() + 0.2

    async def click(at: float, session: str) -> float:
        await asyncio.sleep(begin + at - now())
        reply = await target.clicks.click(session, place)
        assert reply.code == OK, f"a click failed: {reply.code}"
        return (reply.received_s - begin - at) * 1000

    times = arrival_times(options.rate, 0.0, options.seconds, 1.0, rng)
    latencies = await asyncio.gather(
        *(click(float(at), sessions[i % len(sessions)]) for i, at in enumerate(times))
    )
    p99_ms = percentile(latencies, 99)
    assert p99_ms is not None, "there were clicks"
    return p99_ms


async def _upload_without_end(target: Target, pictures: Pictures) -> None:
    while True:
        reply = await target.rest.upload(pictures.another())
        assert reply.session_id is not None, f"an upload failed: {reply.code}"
        await target.rest.delete(reply.session_id)
