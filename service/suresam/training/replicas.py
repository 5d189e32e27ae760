"""Several processes that train one model together, each on its own part of every step."""

import multiprocessing
import signal
import tempfile
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class Replicas:
    """A group of equal processes; the calling one is rank 0 and starts the others.

    On a CPU, processes of one thread each with averaged gradients take about two thirds of
    the time of one process with as many threads: most operations here are too small to share.

    Attributes:
        rank: this process, 0 to `count - 1`.
        count: processes in all; with 1 nothing is started and nothing is sent.
    """

    def __init__(self, rank: int, count: int, meeting_place: str) -> None:
        self.rank, self.count = rank, count
        if count > 1:
            torch.set_num_threads(1)
            dist.init_process_group(
                "gloo", init_method=f"file://{meeting_place}", rank=rank, world_size=count
            )

    def average(self, gradient: Tensor, notes: Tensor) -> None:
        """Replace the gradient by the mean over all processes, and notes by rank 0's, in place."""
        if self.count == 1:
            return
        if self.rank > 0:
            notes.zero_()
        packed = torch.cat([gradient, notes])
        dist.all_reduce(packed)
        torch.div(packed[: len(gradient)], self.count, out=gradient)
        notes.copy_(packed[len(gradient) :])

    def close(self) -> None:
        """Leave the group."""
        if self.count > 1:
            dist.destroy_process_group()


class StartedReplicas:
    """Context in which the other replicas of a run are alive: gives rank 0's `Replicas`.

    Args of the constructor: `target(replicas, *args)` is what the others run; it must take
    part in as many `average` calls as rank 0.
    """

    def __init__(self, count: int, target: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._count, self._target, self._args = count, target, args
        self._processes: list[BaseProcess] = []
        self._folder = tempfile.TemporaryDirectory(prefix="suresam-replicas-")

    def __enter__(self) -> Replicas:
        place = str(Path(self._folder.name) / "meeting")
        spawn = multiprocessing.get_context("spawn")
        for rank in range(1, self._count):
            process = spawn.Process(
                target=_run_replica,
                args=(rank, self._count, place, self._target, self._args),
                daemon=True,
            )
            # Started with SIGINT ignored: Ctrl-C reaches the whole group, and rank 0 decides.
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                process.start()
            finally:
                signal.signal(signal.SIGINT, before)
            self._processes.append(process)
        self._replicas = Replicas(0, self._count, place)
        return self._replicas

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._replicas.close()
        for process in self._processes:
            process.join(timeout=30 if kind is None else 0.1)
            if process.is_alive():
                process.terminate()
        self._folder.cleanup()


def _run_replica(
    rank: int, count: int, place: str, target: Callable[..., None], args: tuple[Any, ...]
) -> None:
    # Rank 0 decides when to stop, and says so with the gradients.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    replicas = Replicas(rank, count, place)
    target(replicas, *args)
    replicas.close()
