"""`suresam bench`: measurements that anybody can repeat."""

import argparse
from pathlib import Path

from suresam.errors import ConfigurationError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("bench", help="measure the service")
    benches = parser.add_subparsers(title="benchmarks", metavar="BENCHMARK", required=True)
    clicks = benches.add_parser(
        "clicks",
        help="how long a person waits for a mask",
        description="Starts a service of its own with the demo family and times uploads and "
        "clicks on a photograph, through REST and gRPC and by the model alone.",
    )
    clicks.add_argument("image", type=Path, help="a photograph")
    clicks.add_argument(
        "--member", default="small", help="small, large or a member's name (default: small)"
    )
    clicks.add_argument(
        "--repeats", type=int, default=30, help="runs of each measurement (default: 30)"
    )
    clicks.set_defaults(run=run_clicks)


def run_clicks(options: argparse.Namespace) -> int:
    """Measure and print a table."""
    from PIL import Image, UnidentifiedImageError

    from suresam.benchmarks.clicks import measure_clicks
    from suresam.benchmarks.server_process import ServerProcess
    from suresam.machine import describe_machine

    if options.repeats < 1:
        raise ConfigurationError(f"--repeats={options.repeats} must be at least 1")
    try:
        with Image.open(options.image) as image:
            width, height = image.size
    except (OSError, UnidentifiedImageError) as error:
        raise ConfigurationError(f"cannot read {options.image}: {error}") from None
    for name, value in describe_machine().items():
        print(f"{name:12} {value}")
    print(f"{'image':12} {options.image.name}, {width} x {height} pixels; {options.member} member")
    with ServerProcess() as server:
        timings = measure_clicks(
            options.image, server.url, server.address, options.member, options.repeats
        )
    clicks_alone = timings[-1].median_ms
    print(f"\n{'':28} {'median ms':>10} {'slowest ms':>11} {'x click alone':>14}")
    for timing in timings:
        print(
            f"{timing.name:28} {timing.median_ms:10.1f} {timing.slowest_ms:11.1f} "
            f"{timing.median_ms / clicks_alone:14.2f}"
        )
    return 0
