"""Memory that a process and its children hold."""

from pathlib import Path

_PROC = Path("/proc")


def resident_bytes(pid: int) -> int | None:
    """Resident memory of a process and all that it started, in bytes.

    Returns:
        None where the system does not tell (no /proc) or the process has ended.
    """
    own = _resident_of(pid)
    if own is None:
        return None
    return own + sum(resident_bytes(child) or 0 for child in _children(pid))


def _resident_of(pid: int) -> int | None:
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            children += map(int, task.read_text().split())
        except OSError:  # the thread has ended
            continue
    return children
