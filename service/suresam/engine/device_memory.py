"""What is told of a device's memory, read whenever somebody asks."""

import math
from collections.abc import Callable, Mapping

import torch

from suresam.engine.budget import free_host_bytes, total_host_bytes
from suresam.telemetry import Telemetry

Read = Callable[[], float]


def report_memory(telemetry: Telemetry, device: str) -> None:
    """Let the metrics tell a device's memory, in bytes.

    Args:
        telemetry: of the service.
        device: such as "cuda:0"; any other than CUDA uses the machine's memory.
    """
    for kind, read in _readings(device).items():
        telemetry.device_memory_bytes.labels(device, kind).set_function(read)


def _readings(device: str) -> Mapping[str, Read]:
    if device.startswith("cuda"):
        return {
            "total": _unless_lost(lambda: torch.cuda.mem_get_info(device)[1]),
            "free": _unless_lost(lambda: torch.cuda.mem_get_info(device)[0]),
            "allocated": _unless_lost(lambda: torch.cuda.memory_allocated(device)),
            "reserved": _unless_lost(lambda: torch.cuda.memory_reserved(device)),
        }
    total_bytes = total_host_bytes()
    if total_bytes is None:
        return {}
    return {"total": lambda: total_bytes, "free": free_host_bytes}


def _unless_lost(read: Read) -> Read:
    """NaN of a device that failed: it must not take the other metrics along."""

    def read_or_nan() -> float:
        try:
            return read()
        except RuntimeError:
            return math.nan

    return read_or_nan
