"""Where the benchmarks under load leave what they found."""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from suresam.errors import ConfigurationError


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
