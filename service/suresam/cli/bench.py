"""`suresam bench`: measurements that anybody can repeat."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.cli import bench_device, bench_route, bench_serve
from suresam.columns import aligned
from suresam.errors import ConfigurationError

if TYPE_CHECKING:  # torch comes with it
    from suresam.benchmarks.uncertainty import Cost
    from suresam.segmentation.backbone import Backbone
    from suresam.uncertainty.member_heads import MemberHeads


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
    clicks.add_argument(
        "--engine",
        choices=("local", "process"),
        default="local",
        help="where the service has its models: see `suresam serve --engine` (default: local)",
    )
    clicks.set_defaults(run=run_clicks)

    uncertainty = benches.add_parser(
        "uncertainty",
        help="what entropy and heads cost beside the mask itself",
        description="Times, in turn and in one process, a click answered plainly, with entropy, "
        "with all uncertainty heads, by eight prompts, and on five augmented images: each as a "
        "first click (image encoded as well) and as a next one.",
    )
    add = uncertainty.add_argument
    add("--models", default="demo", metavar="FAMILY", help="family or model (default: demo)")
    add("--image", type=Path, metavar="FILE", help="a photograph (default: a cup of coffee)")
    add("--rounds", type=int, default=30, help="how often each is timed (default: 30)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto",
        help="where models run (default: auto)")  # fmt: skip
    add("--untrained", action="store_true",
        help="random weights and heads, for models whose files are not here")  # fmt: skip
    uncertainty.set_defaults(run=run_uncertainty)
    bench_device.add_parser(benches)
    bench_serve.add_parser(benches)
    bench_route.add_parser(benches)


def run_uncertainty(options: argparse.Namespace) -> int:
    """Measure and print a table for every member."""
    from suresam.app.members import load_members
    from suresam.benchmarks.uncertainty import measure_uncertainty
    from suresam.benchmarks.untrained import untrained_member
    from suresam.machine import describe_machine
    from suresam.segmentation.images import ImageLimits, read_pixels
    from suresam.segmentation.manifests import load_family
    from suresam.segmentation.model_folders import sample_image
    from suresam.segmentation.sam2 import choose_device
    from suresam.settings import read_settings

    if options.rounds < 1:
        raise ConfigurationError(f"--rounds={options.rounds} must be at least 1")
    path = options.image or sample_image()
    try:
        image = read_pixels(path.read_bytes(), ImageLimits())
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    for name, value in describe_machine().items():
        print(f"{name:12} {value}")
    print(f"{'image':12} {path.name}, {image.shape[1]} x {image.shape[0]} pixels")
    pairs: list[tuple[Backbone, MemberHeads | None]] = []
    device = choose_device(options.device)
    if options.untrained:
        family = load_family(options.models)
        pairs += [untrained_member(manifest, device) for manifest in family.members]
    else:
        settings = read_settings({"models": options.models, "device": options.device})
        pairs += [(member.backbone, member.heads) for member in load_members(settings, device)]
    for backbone, heads in pairs:
        costs = measure_uncertainty(backbone, heads, image, options.rounds)
        print(f"\n{backbone.name}{', untrained' if options.untrained else ''}")
        if heads is None:
            print("no uncertainty heads are installed for it")
        print("\n".join(aligned(_cost_rows(costs))))
    return 0


def _cost_rows(costs: "Sequence[Cost]") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "first ms", "x plain", "next ms", "x plain")]
    for cost in costs:
        cells = [f"{cost.first_ms:.1f}", f"{cost.first_ratio:.3f}"]
        if cost.next_ms is not None and cost.next_ratio is not None:
            cells += [f"{cost.next_ms:.1f}", f"{cost.next_ratio:.3f}"]
        rows.append((cost.name, *cells, *("-" for _ in range(4 - len(cells)))))
    return rows


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
    print(f"{'engine':12} {options.engine}")
    with ServerProcess(("--engine", options.engine)) as server:
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
