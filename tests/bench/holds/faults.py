"""Callers who hang up and a worker that dies twice, under load; and what is left of it all."""

import argparse
import asyncio
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from bench.fake_device import DEADLY_RED
from bench.holds.service import fake_service, load_test, target_of
from bench.holds.verdict import Verdict
from PIL import Image

from suresam.benchmarks.serve.exchange import HUNG_UP, OK, TIMEOUT
from suresam.benchmarks.serve.load_test import Phase, Step
from suresam.benchmarks.serve.pictures import Picture, Pictures, parse_sizes
from suresam.benchmarks.serve.server_metrics import Samples, read_samples
from suresam.benchmarks.serve.target import Target
from suresam.benchmarks.serve.visits import Load
from suresam.benchmarks.server_process import ServerProcess
from suresam.domain import Point
from suresam.errors import Quarantined, WorkerFailed

NUM_SLOTS = 8
_SLOT_BYTES = 12  # three float32: the fake device's embedding
_STOP_S = 5.0
_KILLS = 2
_PATIENCE_S = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--rate", type=float, default=100.0, help="clicks a second that wait (default: 100)")
    add("--cancel", type=float, default=0.3, help="share of visitors who hang up (default: 0.3)")
    add("--seconds", type=float, default=10.0, help="for each transport (default: 10)")
    add("--size", default="320x240", help="of the pictures (default: 320x240)")


def run(options: argparse.Namespace) -> Iterator[Verdict]:
    # Few slots: they are taken over all the time, and one that leaked would be missed.
    server = fake_service("--cache-bytes", str(NUM_SLOTS * _SLOT_BYTES))
    with server:
        asyncio.run(_few_clicks(server, options))  # threads, files and code that stay
        before = _held(server)
        for transport in ("REST", "gRPC"):
            phase, deaths = asyncio.run(_load(server, transport, options))
            asked = [e for e in phase.exchanges if e.kind in ("click", "cancelled_click")]
            hung_up = sum(e.code == HUNG_UP for e in asked)
            codes = {e.code: e.took.count for e in phase.measured.errors}
            print(
                f"{transport}: {len(asked)} clicks, {hung_up} hung up "
                f"({hung_up / len(asked):.0%}); errors {codes}; "
                f"refused {phase.server and phase.server.rejected}"
            )
            wanted = [WorkerFailed.code] * _KILLS + [Quarantined.code]
            yield Verdict(
                f"{transport}: the worker died twice, then refused its picture",
                " ".join(deaths),
                " ".join(wanted),
                deaths == wanted,
            )
            stuck = sum(e.code == TIMEOUT for e in phase.exchanges)
            yield Verdict(f"{transport}: requests without an answer", str(stuck), "0", stuck == 0)
        samples = asyncio.run(_settled(server))
        depth = sum(v for (name, _), v in samples.items() if name == "suresam_queue_depth")
        sessions = samples["suresam_sessions", ()]
        yield Verdict("jobs waiting afterwards", f"{depth:g}", "0", depth == 0)
        yield Verdict("sessions afterwards", f"{sessions:g}", "0", sessions == 0)
        after = _held_at_rest(server, before)
        for what in before:
            found = after[what]
            yield Verdict(
                f"{what} afterwards", f"{found}", f"{before[what]} before", found <= before[what]
            )
        free = asyncio.run(_usable_slots(server, options))
        yield Verdict("slots that can be used", f"{free}", f"{NUM_SLOTS}", free == NUM_SLOTS)
        started = time.monotonic()
        code = server.stop()
        stop_s = time.monotonic() - started
        yield Verdict("exit code after SIGTERM", str(code), "0", code == 0)
        yield Verdict("stopped within", f"{stop_s:.1f} s", f"{_STOP_S:g} s", stop_s <= _STOP_S)


def _held(server: ServerProcess) -> dict[str, int]:
    """What a process may leak and the system can count, when its connections are closed."""
    return {
        "file descriptors": len(list(Path(f"/proc/{server.pid}/fd").iterdir())),
        "threads": len(list(Path(f"/proc/{server.pid}/task").iterdir())),
        "shared-memory segments": len(list(Path("/dev/shm").iterdir())),
    }


def _held_at_rest(server: ServerProcess, before: dict[str, int]) -> dict[str, int]:
    """What is held once it is no more than before, or after a while: connections take a moment."""
    until = time.monotonic() + _PATIENCE_S
    while (held := _held(server)) and time.monotonic() < until:
        if all(held[what] <= number for what, number in before.items()):
            break
        time.sleep(0.1)
    return held


async def _few_clicks(server: ServerProcess, options: argparse.Namespace) -> None:
    for transport in ("REST", "gRPC"):
        async with load_test(server, transport, options.size, goal_ms=float("inf")) as test:
            await test.people(16, 2.0)
    await _settled(server)


async def _load(
    server: ServerProcess, transport: str, options: argparse.Namespace
) -> tuple[Phase, list[str]]:
    load = Load(options.rate, mean_clicks=4.0, bulk=0.05, cancel=options.cancel)
    async with (
        load_test(server, transport, options.size, goal_ms=float("inf")) as test,
        target_of(server, transport) as target,
    ):
        dying = asyncio.create_task(_kill_twice(target, options.seconds, _deadly(transport)))
        [phase] = await test.offer([Step(transport, load, options.seconds)])
        return phase, await dying


async def _kill_twice(target: Target, seconds: float, picture: Picture) -> list[str]:
    """Click on the deadly picture until the service refuses it; how each click was answered."""
    codes = []
    for _ in range(_KILLS + 1):
        await asyncio.sleep(seconds / (_KILLS + 2))
        session_id = await target.upload_surely(picture)
        codes.append((await target.clicks.click(session_id, Point(1.0, 1.0))).code)
        await target.rest.delete(session_id)
    return codes


def _deadly(transport: str) -> Picture:
    buffer = BytesIO()
    # Other bytes for each transport: a picture that is known to kill does so no more.
    size = (64, 48) if transport == "REST" else (48, 64)
    Image.new("RGB", size, (DEADLY_RED, 80, 90)).save(buffer, "PNG")
    return Picture(*size, buffer.getvalue())


async def _settled(server: ServerProcess) -> Samples:
    """The metrics, as soon as nothing is in progress."""
    async with target_of(server, "REST") as target:
        until = time.monotonic() + _PATIENCE_S
        while True:
            text = await target.rest.metrics()
            assert text is not None, "the server tells its metrics"
            samples = read_samples(text)
            is_idle = not any(
                value
                for (name, _), value in samples.items()
                if name in ("suresam_queue_depth", "suresam_sessions")
            )
            if is_idle or time.monotonic() > until:
                return samples
            await asyncio.sleep(0.2)


async def _usable_slots(server: ServerProcess, options: argparse.Namespace) -> int:
    """How many pictures that were used twice are found again; a leaked pin would take a place."""
    pictures = Pictures(parse_sizes(options.size), seed=1)
    point = Point(1.0, 1.0)
    async with target_of(server, "REST") as target:
        sessions = []
        for _ in range(NUM_SLOTS):
            sessions.append(await target.upload_surely(pictures.another()))
            for _ in range(2):
                assert (await target.clicks.click(sessions[-1], point)).code == OK
        before = await _settled_metrics(target)
        for session in sessions:
            assert (await target.clicks.click(session, point)).code == OK
        after = await _settled_metrics(target)
        for session in sessions:
            await target.rest.delete(session)
    return round(_hits(after) - _hits(before))


async def _settled_metrics(target: Target) -> Samples:
    text = await target.rest.metrics()
    assert text is not None, "the server tells its metrics"
    return read_samples(text)


def _hits(samples: Samples) -> float:
    """Clicks that found their embedding without an encode before them."""
    counts = {
        dict(labels)["result"]: value
        for (name, labels), value in samples.items()
        if name == "suresam_cache_requests_total"
    }
    return counts.get("hit", 0.0) - counts.get("miss", 0.0)
