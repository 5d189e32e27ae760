"""Memory for cached embeddings where nobody said how much: a part of what is free."""

from pathlib import Path

import torch

_SHARE_OF_DEVICE = 0.5
_SHARE_OF_HOST = 0.25
_MOST_OF_HOST = 2 * 2**30
_MOST_BEHIND_DEVICE = 8 * 2**30
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def default_cache_bytes(device: str) -> int:
    """Half of what is free on a CUDA device; on a CPU a quarter of what is free, at most 2 GiB.

    To be asked when the models are loaded and warm. Not yet run on a GPU.
    """
    if device.startswith("cuda"):
        free_bytes, _ = torch.cuda.mem_get_info(device)
        return int(_SHARE_OF_DEVICE * free_bytes)
    return min(_MOST_OF_HOST, int(_SHARE_OF_HOST * free_host_bytes()))


def default_host_cache_bytes(device: str) -> int:
    """Behind a CUDA device a quarter of what is free, at most 8 GiB, which is then page-locked.

    Nothing where the device's memory is the host's: there it would be the same memory twice.
    Not yet run on a GPU.
    """
    if device.startswith("cuda"):
        return min(_MOST_BEHIND_DEVICE, int(_SHARE_OF_HOST * free_host_bytes()))
    return 0


def _reclaimable_bytes(cgroup: Path) -> int:
    """Of what a container uses, files in memory that make room when it is needed."""
    stat = cgroup / "memory.stat"
    lines = stat.read_text().splitlines() if stat.is_file() else []
    counts = {name: int(count) for name, count in (line.split() for line in lines)}
    return counts.get("inactive_file", 0) + counts.get("active_file", 0)


def total_host_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Memory that this process may have at most: the machine's, or less in a container.

    None where the system does not tell (no Linux).
    """
    if not meminfo.is_file():
        return None
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    total = int(lines["MemTotal"].split()[0]) * 1024
    limit = cgroup / "memory.max"
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        total = min(total, int(text))
    return total


def free_host_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int:
    """Memory that this process may still take: the machine's, or less in a container.

    Where neither is told (no Linux), as much as leaves the largest default.
    """
    free = []
    if meminfo.is_file():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
    limit, used = cgroup / "memory.max", cgroup / "memory.current"
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        free.append(int(text) - int(used.read_text()) + _reclaimable_bytes(cgroup))
    return max(0, min(free, default=int(_MOST_OF_HOST / _SHARE_OF_HOST)))
