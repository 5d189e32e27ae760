"""What a figure was measured on."""

import os
import platform
import subprocess
from pathlib import Path

import torch

from suresam.version import __version__


def describe_machine() -> dict[str, str]:
    """Processor, accelerator, versions, and the commit where there is one."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "accelerator": device,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "suresam": f"{__version__} (commit {source_commit()})",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def source_commit() -> str:
    """The commit this package is run from, "-dirty" behind it if changed; "unknown" elsewhere."""
    command = ("git", "describe", "--always", "--dirty")
    try:
        told = subprocess.run(  # noqa: S603  (a fixed command)
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()
