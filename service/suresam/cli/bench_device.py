"""`suresam bench device`: encodes and decodes a second by batch size, precision and compilation."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.columns import aligned
from suresam.errors import ConfigurationError
from suresam.outputs import check_file

if TYPE_CHECKING:  # torch comes with it
    from suresam.benchmarks.device import Launch

_COMPILE = {"no": (False,), "yes": (True,), "both": (False, True)}


def add_parser(benches: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = benches.add_parser(
        "device",
        help="what a device makes of a model: rows a second and share of its peak",
        description="Times launches of the encoder and of the decoder of every member, without a "
        "server, beside the arithmetic that they take and what the device attains at most.",
    )
    add = parser.add_argument
    add("--models", default="demo", metavar="FAMILY", help="family or model (default: demo)")
    add("--untrained", action="store_true",
        help="random weights, for models whose files are not here")  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto",
        help="where models run (default: auto)")  # fmt: skip
    add("--dtype", default="auto", metavar="D1,D2,...",
        help="float32, bfloat16 or both (default: what would be served)")  # fmt: skip
    add("--compile", choices=tuple(_COMPILE), default="no",
        help="as they are, compiled, or both (default: no)")  # fmt: skip
    add("--images", default="1,2,4", metavar="N1,N2,...",
        help="images in an encoder launch (default: 1,2,4)")  # fmt: skip
    add("--prompts", default="1,4,16", metavar="N1,N2,...",
        help="prompts in a decoder launch (default: 1,4,16)")  # fmt: skip
    add("--repeats", type=int, default=10, metavar="N",
        help="timed launches of each (default: 10)")  # fmt: skip
    add("--peak-tflops", type=float, metavar="T",
        help="of the device (default: measured by a large matrix product)")  # fmt: skip
    add("--out", type=Path, metavar="FILE", help="also write the figures as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure and print a table for every member."""
    if options.repeats < 1:
        raise ConfigurationError(f"--repeats={options.repeats} must be at least 1")
    if options.peak_tflops is not None and not options.peak_tflops > 0:
        raise ConfigurationError(f"--peak-tflops={options.peak_tflops:g} must be over 0")
    sizes = {
        "encode": _numbers("--images", options.images),
        "decode": _numbers("--prompts", options.prompts),
    }
    wanted_dtypes = _dtypes(options.dtype)
    if options.out is not None:
        check_file(options.out)

    import torch

    from suresam.benchmarks.device import (
        count_gflop,
        measure_launches,
        measure_peak_tflops,
    )
    from suresam.machine import describe_machine
    from suresam.segmentation.checkpoints import load_model
    from suresam.segmentation.manifests import load_family
    from suresam.segmentation.sam2 import Sam2Backbone, choose_device, choose_dtype

    device = choose_device(options.device)
    dtypes = [choose_dtype(name, device) for name in wanted_dtypes]
    family = load_family(options.models)
    machine = {**describe_machine(), "threads": str(torch.get_num_threads()), "device": device}
    for name, value in machine.items():
        print(f"{name:12} {value}")
    peaks = {
        dtype: options.peak_tflops or measure_peak_tflops(device, dtype, options.repeats)
        for dtype in dtypes
    }
    origin = "as given" if options.peak_tflops else "a large matrix product"
    for dtype, peak in peaks.items():
        print(f"{'peak':12} {peak:.3g} TFLOP/s, {dtype} ({origin})")
    launches: list[Launch] = []
    for manifest in family.members:
        torch.manual_seed(0)
        model = manifest.architecture.build() if options.untrained else load_model(manifest)
        gflop = count_gflop(manifest.architecture)
        told = [
            launch
            for dtype in peaks
            for is_compiled in _COMPILE[options.compile]
            for launch in measure_launches(
                Sam2Backbone(
                    manifest.name,
                    model,
                    device,
                    box=manifest.box,
                    dtype=dtype,
                    is_compiled=is_compiled,
                ),
                sizes,
                gflop,
                peaks[dtype],
                options.repeats,
            )
        ]
        print(
            f"\n{manifest.name}{', untrained' if options.untrained else ''}: "
            f"{gflop['encode']:.4g} GFLOP an image, {gflop['decode']:.4g} a click"
        )
        print("\n".join(aligned(_rows(told), left=3)))
        launches += told
    if options.out is not None:
        report = {"machine": machine, "launches": [_figures(launch) for launch in launches]}
        options.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def _rows(launches: "Sequence[Launch]") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("stage", "dtype", "", "rows", "ms", "rows/s", "floor ms", "of peak")
    ]
    for launch in launches:
        way = "compiled" if launch.is_compiled else "eager"
        ms = (f"{launch.launch_ms:.2f}", f"{launch.rows_per_s:.1f}", f"{launch.floor_ms:.3f}")
        share = f"{launch.share_of_peak:.1%}"
        rows.append((launch.stage, launch.dtype, way, str(launch.rows), *ms, share))
    return rows


def _figures(launch: "Launch") -> dict[str, object]:
    return {
        **asdict(launch),
        "rows_per_s": launch.rows_per_s,
        "floor_ms": launch.floor_ms,
        "share_of_peak": launch.share_of_peak,
    }


def _numbers(option: str, text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigurationError(f"{option}={text!r} must be numbers from 1 up, like 1,2,4")
    return [int(part) for part in parts]


def _dtypes(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= {"auto", "float32", "bfloat16"}:
        raise ConfigurationError(f"--dtype={text!r} must be auto, or of float32 and bfloat16")
    return names
