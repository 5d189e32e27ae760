"""What the commands have in common that put a server under load."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from suresam.errors import ConfigurationError

REPORT = "report.json"

_Add = Callable[..., object]


def add_generator_options(add: _Add) -> None:
    """Register the generator's own bounds."""
    add("--max-lag-ms", type=float, default=20.0, metavar="MS",
        help="bound on the generator's own lag, p99 (default: 20)")  # fmt: skip
    add("--timeout", type=float, default=30.0, metavar="S",
        help="seconds after which an answer is given up (default: 30)")  # fmt: skip


def add_visit_options(add: _Add) -> None:
    """Register how long a visitor stays."""
    add("--clicks", type=float, default=6.0, metavar="N",
        help="mean clicks on a picture, geometric (default: 6)")  # fmt: skip
    add("--think", type=float, default=1.0, metavar="S",
        help="median seconds between two clicks, log-normal (default: 1)")  # fmt: skip


def add_out_option(parser: argparse.ArgumentParser, plot: str) -> None:
    """Register where the report and a plot of this name go."""
    parser.add_argument("--out", type=Path, metavar="DIR",
        help=f"write {REPORT} and {plot} there (default: only print)")  # fmt: skip


def begin() -> dict[str, str]:
    """Make this process ready to offer load, and tell on what machine."""
    from suresam.benchmarks.serve.process import prepare_process
    from suresam.machine import describe_machine

    circumstances = describe_machine()
    for name, value in circumstances.items():
        print(f"{name:12} {value}")
    prepare_process()
    return circumstances


def write_report(body: Mapping[str, object], report: Path, plot_png: bytes, plot: Path) -> None:
    """Write a report as JSON, with the command that made it, and its plot, and say where.

    Raises:
        ConfigurationError: a file cannot be written.
    """
    told = {"command": shlex.join(("suresam", *sys.argv[1:])), **body}
    try:
        report.write_text(json.dumps(told, indent=2, allow_nan=False) + "\n")
        plot.write_bytes(plot_png)
    except OSError as error:
        raise ConfigurationError(f"cannot write into {report.parent}: {error.strerror}") from error
    print(f"\nwrote {report} and {plot}")
