"""Clicks a second of our service beside three baselines with the same weights, in one run.

    python tests/bench/compare_servers.py --people 16 --seconds 20

People click on pictures of their own without a pause. Servers are measured in rounds, one after
the other, while the others are held still, so that a slow moment of a shared machine hits all
alike; ratios are medians over rounds of the ratio within a round. Each must first give our masks.
LitServe needs `.venv/bin/pip install -e '.[bench]'`; without it, name the others with --only.
"""

import argparse
import asyncio
import importlib.metadata
import importlib.util
import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.agreement import least_iou, trial_masks, trial_pictures
from bench.contestant import Standing, child_environment, contestants

from suresam.benchmarks.serve.load_test import LoadTest, Phase
from suresam.benchmarks.serve.pictures import Pictures, parse_sizes
from suresam.benchmarks.serve.process import prepare_process, raised_priority
from suresam.benchmarks.serve.rest_server import RestServer
from suresam.benchmarks.serve.target import Target
from suresam.columns import aligned
from suresam.errors import ConfigurationError
from suresam.evaluation.progress import tell_counts
from suresam.machine import describe_machine

NEEDED_IOU = 0.99

_WARM_UP_S = 3.0

SHOWN_VERSIONS = ("fastapi", "uvicorn", "httptools", "uvloop", "litserve", "sam2")


@dataclass(frozen=True)
class Row:
    """One contestant in one round."""

    name: str
    round: int
    clicks_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    errors: int


def main() -> int:
    options = parse_options()
    chosen = [
        contestant
        for contestant in contestants(options.member)
        if contestant.name == "ours" or contestant.name in options.only
    ]
    if any(c.name == "litserve" for c in chosen) and not importlib.util.find_spec("litserve"):
        raise ConfigurationError(
            "litserve is not installed: pip install -e '.[bench]', or --only without it"
        )
    circumstances = describe_machine() | versions()
    for name, value in circumstances.items():
        print(f"{name:12} {value}")
    prepare_process()
    with ExitStack() as stack:
        standing = []
        for contestant in chosen:
            print(f"starting {contestant.name}", file=sys.stderr, flush=True)
            standing.append(stack.enter_context(Standing(contestant)))
        least = asyncio.run(check_agreement(standing))
        print("\nleast IoU with our masks, three candidates of every click: ", end="")
        print(", ".join(f"{name} {iou:.4f}" for name, iou in least.items()), flush=True)
        rows, raw = [], []
        for number in range(options.rounds):
            for server in standing:
                rows.append(measured(server, number, options))
                told = rows[-1]
                print(
                    f"round {number + 1}, {told.name}: {told.clicks_per_s:.1f} clicks/s",
                    file=sys.stderr,
                    flush=True,
                )
            raw.append(raw_decode(options))
    print("\n" + "\n".join(aligned(table(rows))))
    print("\n" + "\n".join(raw_lines(rows, raw)))
    if options.json is not None:
        body = {
            "command": sys.argv,
            **circumstances,
            "least_iou": least,
            "rows": [asdict(row) for row in rows],
            "raw": raw,
        }
        options.json.write_text(json.dumps(body, indent=2) + "\n")
    return 0


def parse_options() -> argparse.Namespace:
    names = [contestant.name for contestant in contestants("")]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--people", type=int, default=16, help="who click (default: 16)")
    add("--seconds", type=float, default=20.0, help="of each server in each round (default: 20)")
    add("--rounds", type=int, default=3, help="(default: 3)")
    add("--member", default="demo-small", help="of the demo family (default: demo-small)")
    add("--sizes", default="640x480,1024x768,1600x1200", help="of the pictures, in turn")
    add("--only", metavar="NAME,...", default=",".join(names[1:]),
        help=f"who is compared with ours (default: {','.join(names[1:])})")  # fmt: skip
    add("--raw-seconds", type=float, default=6.0, help="of the bare loop in each round")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(names)
    if unknown:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}; there are {names}")
    if options.people < 1 or options.rounds < 1 or options.seconds <= 0:
        parser.error("--people, --rounds and --seconds must be over 0")
    return options


def versions() -> dict[str, str]:
    """Of what serves; uvicorn takes httptools and uvloop wherever they are, for all of us."""
    found = {}
    for name in SHOWN_VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "-"
    return found


async def check_agreement(standing: list[Standing]) -> dict[str, float]:
    """The least IoU of each with ours; it is an error if one is too small."""
    pictures = trial_pictures()
    ours: list = []
    least = {}
    for server in standing:
        server.wake()
        rest = RestServer(server.url, server.contestant.asks, timeout_s=30.0)
        masks = await trial_masks(rest, pictures)
        rest.close()
        server.pause()
        ours = ours or masks
        least[server.contestant.name] = least_iou(masks, ours)
    if min(least.values()) < NEEDED_IOU:
        raise ConfigurationError(f"not the same masks as ours (least IoU): {least}")
    return least


def measured(server: Standing, number: int, options: argparse.Namespace) -> Row:
    """One contestant alone."""
    server.wake()
    try:
        with raised_priority():
            phase = asyncio.run(people(server, number, options))
    finally:
        server.pause()
    clicks = phase.measured.clicks
    return Row(
        name=server.contestant.name,
        round=number,
        clicks_per_s=phase.measured.goodput.answered / phase.seconds,
        p50_ms=clicks.p50_ms,
        p95_ms=clicks.p95_ms,
        p99_ms=clicks.p99_ms,
        errors=sum(errors.took.count for errors in phase.measured.errors),
    )


async def people(server: Standing, number: int, options: argparse.Namespace) -> Phase:
    rest = RestServer(server.url, server.contestant.asks, timeout_s=60.0)
    try:
        test = LoadTest(
            Target(rest, rest),
            Pictures(parse_sizes(options.sizes), seed=number),
            seed=number,
            goal_ms=float("inf"),
            max_lag_ms=float("inf"),
            tell_counts=lambda what: tell_counts(what, sys.stderr),
        )
        # A server that was held still has to wake up first.
        return await test.people(options.people, options.seconds, warm_up_s=_WARM_UP_S)
    finally:
        rest.close()


def raw_decode(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Rows a second of the model alone, by batch size, in a process of its own."""
    command = (sys.executable, "-m", "bench.raw_decode", "--member", options.member)
    told = subprocess.run(
        (*command, "--seconds", str(options.raw_seconds)),
        env=child_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(told.stdout)


def table(rows: list[Row]) -> list[tuple[str, ...]]:
    """A line for each contestant: medians over rounds."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row.name, []).append(row)
    lines = [("", "clicks/s", "ours / it", "(rounds)", "p50 ms", "p95 ms", "p99 ms", "errors")]
    for name, own in by_name.items():
        ratios = [
            ours.clicks_per_s / row.clicks_per_s if row.clicks_per_s else float("inf")
            for ours, row in zip(by_name["ours"], own, strict=True)
        ]
        lines.append(
            (
                name,
                f"{statistics.median(row.clicks_per_s for row in own):.1f}",
                f"{statistics.median(ratios):.2f}",
                " ".join(f"{ratio:.2f}" for ratio in ratios),
                *(
                    median_ms([getattr(row, p) for row in own])
                    for p in ("p50_ms", "p95_ms", "p99_ms")
                ),
                str(sum(row.errors for row in own)),
            )
        )
    return lines


def median_ms(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.1f}" if known else "-"


def raw_lines(rows: list[Row], raw: list[dict[str, dict[str, float]]]) -> list[str]:
    """The model alone, and what share of it ours reaches, round by round."""
    ours = [row.clicks_per_s for row in rows if row.name == "ours"]
    lines = []
    for kind, text in (
        ("decoded", "decoded only"),
        ("with_masks", "with masks of the picture's size as run lengths"),
    ):
        best = [max(one[kind].items(), key=lambda item: item[1]) for one in raw]
        shares = [own / rate for own, (_, rate) in zip(ours, best, strict=True)]
        lines.append(
            f"model alone in a bare loop, {text}: {statistics.median(r for _, r in best):.1f} "
            f"clicks/s (batches of {', '.join(size for size, _ in best)}); "
            f"ours reaches {statistics.median(shares):.0%}"
        )
    return lines


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConfigurationError as error:
        print(f"compare_servers: {error}", file=sys.stderr)
        sys.exit(2)
