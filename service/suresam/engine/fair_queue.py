"""The order in which jobs of one stage leave: fair to tenants, then to requests, then urgent."""

import heapq
import itertools
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """What the order and the batches of jobs follow from.

    Attributes:
        stage: "encode" or "decode".
        model: who does it.
        tenant: for whom.
        bucket: jobs of equal bucket may share a launch.
        turn: its place among the jobs of its request.
        deadline: when its caller leaves, monotonic seconds.
        is_background: whether nobody waits for it, so that it is done in idle time only.
    """

    stage: str
    model: str
    tenant: str
    turn: int
    deadline: float
    is_background: bool

    @property
    def bucket(self) -> Hashable: ...  # noqa: D102  (above)


J = TypeVar("J", bound=Waiting)

_Place = tuple[int, float, int]
"""Round, deadline, and the order of arrival among equals."""


class _Line(Generic[J]):
    """One tenant's jobs."""

    def __init__(self, served_ms: float, turns_a_round: int) -> None:
        self.served_ms = served_ms
        self._turns_a_round = turns_a_round
        self._last_round = -1
        self._heaps: dict[Hashable, list[tuple[_Place, J]]] = {}

    def add(self, job: J, number: int) -> None:
        # A round that has begun takes nobody in, or a stream of newcomers would hold it open.
        place = (self._last_round + 1 + job.turn // self._turns_a_round, job.deadline, number)
        heapq.heappush(self._heaps.setdefault(job.bucket, []), (place, job))

    def first(self, bucket: Hashable | None) -> tuple[_Place, J] | None:
        """Whose turn it is, among all or in a bucket."""
        if bucket is not None:
            heap = self._heaps.get(bucket)
            return heap[0] if heap else None
        return min((heap[0] for heap in self._heaps.values()), default=None, key=_place_of)

    def pop(self, bucket: Hashable) -> J:
        (number_of_round, *_), job = heapq.heappop(self._heaps[bucket])
        self._last_round = max(self._last_round, number_of_round)
        self._forget_empty(bucket)
        return job

    def remove(self, job: J) -> None:
        heap = self._heaps[job.bucket]
        heap[:] = [entry for entry in heap if entry[1] is not job]
        heapq.heapify(heap)
        self._forget_empty(job.bucket)

    def __bool__(self) -> bool:
        return bool(self._heaps)

    def _forget_empty(self, bucket: Hashable) -> None:
        if not self._heaps[bucket]:
            del self._heaps[bucket]


class FairQueue(Generic[J]):
    """Jobs of one stage that wait. Pure: no tensors, no clock, no threads.

    Next is the tenant who had the least of the device (start-time fair queueing: who comes back
    starts level with those who wait, so nobody saves up). Of one tenant's jobs, every request's
    first few come before any request's next few (rounds), so that nobody's click waits behind
    somebody else's hundred; in a round the earliest deadline goes first. A round that has begun
    takes in no newcomers: every job has a finite number before it, whatever arrives.

    Args:
        turns_a_round: jobs of a request that go in one round. With fewer than most requests have,
            all of them would end together, and in an overload all of them too late: whoever comes
            passes those who were let in before.

    Source: Goyal, Vin and Cheng (1996), "Start-time Fair Queuing", section 2.
    """

    def __init__(self, turns_a_round: int = 1) -> None:
        self._turns_a_round = turns_a_round
        self._lines: dict[str, _Line[J]] = {}
        self._jobs: dict[J, None] = {}
        self._numbers = itertools.count()
        self._level_ms = 0.0

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: J) -> bool:
        return job in self._jobs

    def add(self, job: J) -> None:
        """Queue a job."""
        if not self._jobs:  # nobody was kept waiting: all are level
            self._lines.clear()
            self._level_ms = 0.0
        line = self._lines.get(job.tenant)
        if line is None:
            line = self._lines[job.tenant] = _Line(self._level_ms, self._turns_a_round)
        elif not line:
            line.served_ms = max(line.served_ms, self._level_ms)
        line.add(job, next(self._numbers))
        self._jobs[job] = None

    def remove(self, job: J) -> bool:
        """Take out a job that nobody wants any more; whether it was here."""
        if job not in self._jobs:
            return False
        del self._jobs[job]
        self._lines[job.tenant].remove(job)
        return True

    def first(self, bucket: Hashable | None = None) -> J | None:
        """The next job, among all or in a bucket; None when there is none."""
        entry = self._next(bucket)
        return None if entry is None else entry[1]

    def pop(self, bucket: Hashable | None = None) -> J | None:
        """Remove and return what `first` returns."""
        entry = self._next(bucket)
        if entry is None:
            return None
        served_ms, job = entry
        if bucket is None:  # mates go along out of their turn and say nothing about it
            self._level_ms = max(self._level_ms, served_ms)
        self._lines[job.tenant].pop(job.bucket)
        del self._jobs[job]
        self._forget_level_lines()
        return job

    def charge(self, tenant: str, device_ms: float) -> None:
        """Count what a tenant's job will take of the device."""
        line = self._lines.get(tenant)
        if line is None:
            line = self._lines[tenant] = _Line(self._level_ms, self._turns_a_round)
        line.served_ms += device_ms

    def clear(self) -> list[J]:
        """Remove and return every job."""
        jobs = list(self._jobs)
        self._lines.clear()
        self._jobs.clear()
        return jobs

    def _next(self, bucket: Hashable | None) -> tuple[float, J] | None:
        """The next job, and what its tenant has had of the device."""
        best: tuple[float, _Place] | None = None
        chosen: J | None = None
        for line in self._lines.values():
            entry = line.first(bucket)
            if entry is not None and (best is None or (line.served_ms, entry[0]) < best):
                best, chosen = (line.served_ms, entry[0]), entry[1]
        return None if best is None or chosen is None else (best[0], chosen)

    def _forget_level_lines(self) -> None:
        """Tenants who wait for nothing and are owed nothing, so that their number stays small."""
        gone = [t for t, li in self._lines.items() if not li and li.served_ms <= self._level_ms]
        for tenant in gone:
            del self._lines[tenant]


def _place_of(entry: tuple[_Place, J]) -> _Place:
    return entry[0]
