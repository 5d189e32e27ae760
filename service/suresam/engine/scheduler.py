"""Which jobs share the next launch. Pure: no tensors, no threads, and the time is an argument."""

import math
from collections import Counter, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol

from suresam.engine.fair_queue import FairQueue, J

ENCODE, DECODE = "encode", "decode"


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds on one launch, and who goes first.

    Attributes:
        max_encode: images in one launch.
        max_decode: prompts in one launch.
        max_encode_ms: milliseconds of one encode launch, by the cost table; a click may have to
            wait for it. One image is launched in any case.
        encode_share: of the device's time, which encodes get while clicks wait as well.
        idle_below_ms: milliseconds of waiting work, by the cost table, above which what waits for
            idle time is given up.
    """

    max_encode: int = 4
    max_decode: int = 16
    max_encode_ms: float = 50.0
    encode_share: float = 0.3
    idle_below_ms: float = 500.0


class LaunchCost(Protocol):
    """Milliseconds that a launch of so many rows will take, by the cost table."""

    def __call__(self, stage: str, model: str, rows: int, /) -> float: ...  # noqa: D102  (above)


class Scheduler(Generic[J]):
    """Batches what is waiting; whenever a job waits, the device gets one.

    Decodes (clicks) go before encodes (uploads), but an encode that waits is owed its share of
    the device's time: once what decodes took before it amounts to that share of its own launch,
    it goes first. Within a stage a `FairQueue` says who is next; its mates in the launch are the
    next of its bucket, as long as none who would be in time becomes late by another row. A job
    that can no longer be in time lets all the others pass.

    Background jobs are launched one by one and only where nobody else waits, so that they delay
    others by the launch in progress at most. They cost no tenant its turn, and are given up when
    so much waits that idle time is far.

    Args:
        limits: of launches.
        launch_ms: the cost table.
        row_cap: rows of one launch that the device has memory for, by stage and model.
    """

    def __init__(
        self,
        limits: BatchLimits,
        launch_ms: LaunchCost,
        row_cap: Callable[[str, str], float] = lambda stage, model: math.inf,
    ) -> None:
        self._limits = limits
        self._launch_ms = launch_ms
        self._row_cap = row_cap
        # What of a request fits into one launch stays together.
        turns = {DECODE: limits.max_decode, ENCODE: limits.max_encode}
        self._queues: dict[str, FairQueue[J]] = {s: FairQueue(n) for s, n in turns.items()}
        self._late: dict[str, FairQueue[J]] = {s: FairQueue(n) for s, n in turns.items()}
        self._background: deque[J] = deque()
        self._given_up: list[J] = []
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._owed_ms = 0.0

    def add(self, job: J) -> None:
        """Queue a job."""
        if job.is_background:
            self._background.append(job)
        else:
            self._queues[job.stage].add(job)
            self._waiting[job.stage, job.model] += 1
        if self._background and self.work_ms(self.waiting()) > self._limits.idle_below_ms:
            self._given_up += self._background
            self._background.clear()

    def remove(self, job: J) -> bool:
        """Take out a job whose caller left; whether it was still waiting."""
        if job in self._background:
            self._background.remove(job)
            return True
        was_here = self._queues[job.stage].remove(job) or self._late[job.stage].remove(job)
        if was_here:
            self._waiting[job.stage, job.model] -= 1
        return was_here

    def postpone(self, job: J, deadline: float) -> None:
        """Let a job have a later deadline. It keeps its place, and is late no more."""
        job.deadline = deadline
        if self._late[job.stage].remove(job):
            self._queues[job.stage].add(job)

    def promote(self, job: J, deadline: float) -> None:
        """Make a background job that still waits one like the others: somebody waits for it."""
        if job in self._background:
            self._background.remove(job)
            job.is_background, job.deadline = False, deadline
            self.add(job)

    def given_up(self) -> list[J]:
        """Remove and return the background jobs that had to make way."""
        jobs, self._given_up = self._given_up, []
        return jobs

    def waiting(self) -> Counter[tuple[str, str]]:
        """Jobs waiting by (stage, model), without those in the background."""
        return +self._waiting

    def take(self, now: float) -> list[J]:
        """Remove and return the next launch's jobs; empty when nobody waits.

        Args:
            now: monotonic seconds.
        """
        stages = (ENCODE, DECODE) if self._is_encodes_turn() else (DECODE, ENCODE)
        batch = next(filter(None, (self._take_in_time(stage, now) for stage in stages)), None)
        if batch is None:
            batch = next(filter(None, map(self._take_late, (DECODE, ENCODE))), [])
        if not batch and self._background:
            return [self._background.popleft()]
        for job in batch:
            self._waiting[job.stage, job.model] -= 1
        self._settle_debt(batch)
        return batch

    def take_all(self) -> list[J]:
        """Remove and return every job."""
        self._waiting.clear()
        queues = [*self._queues.values(), *self._late.values()]
        background = [*self._background, *self.given_up()]
        self._background.clear()
        return [job for queue in queues for job in queue.clear()] + background

    def work_ms(self, rows: Mapping[tuple[str, str], int]) -> float:
        """Milliseconds that rows by (stage, model) take in as few launches as possible."""
        total_ms = 0.0
        for (stage, model), count in rows.items():
            full, rest = divmod(count, self.max_rows(stage, model))
            total_ms += full * self._launch_ms(stage, model, self.max_rows(stage, model))
            total_ms += self._launch_ms(stage, model, rest) if rest else 0.0
        return total_ms

    def max_rows(self, stage: str, model: str) -> int:
        """Rows of one launch."""
        limit = self._limits.max_decode if stage == DECODE else self._limits.max_encode
        rows = int(min(limit, self._row_cap(stage, model)))
        if stage == ENCODE:
            while rows > 1 and self._launch_ms(stage, model, rows) > self._limits.max_encode_ms:
                rows -= 1
        return rows

    def _take_in_time(self, stage: str, now: float) -> list[J]:
        """The next batch of those who can still be served before their deadlines."""
        queue = self._queues[stage]
        batch: list[J] = []
        bucket: Hashable | None = None
        while (job := queue.first(bucket)) is not None:
            if now + self._ms_of(job, 1) / 1000 > job.deadline:
                queue.remove(job)
                self._late[stage].add(job)
                continue
            ends_at = now + self._ms_of(job, len(batch) + 1) / 1000
            if any(ends_at > mate.deadline for mate in (job, *batch)):
                break
            queue.pop(bucket)
            queue.charge(job.tenant, self._ms_of(job, 1))
            batch.append(job)
            bucket = job.bucket
            if len(batch) == self.max_rows(stage, job.model):
                break
        return batch

    def _take_late(self, stage: str) -> list[J]:
        """Those of whom the table says that they will be late: it may be wrong."""
        queue = self._late[stage]
        batch: list[J] = []
        while (job := queue.pop(batch[0].bucket if batch else None)) is not None:
            batch.append(job)
            if len(batch) == self.max_rows(stage, job.model):
                break
        return batch

    def _is_encodes_turn(self) -> bool:
        """Whether decodes have passed the encode that is next for long enough."""
        job = self._queues[ENCODE].first()
        return job is not None and self._owed_ms >= self._ms_of(job, 1)

    def _settle_debt(self, batch: list[J]) -> None:
        """Encodes that wait are owed their share of what decodes take before them."""
        stages = {job.stage for job in batch}
        if not batch or any(not self._queues[s] and s not in stages for s in (ENCODE, DECODE)):
            self._owed_ms = 0.0  # only what passes somebody counts
            return
        launch_ms = self._ms_of(batch[0], len(batch))
        share = self._limits.encode_share
        if batch[0].stage == DECODE:
            self._owed_ms += launch_ms * share / (1 - share)
        else:
            self._owed_ms -= launch_ms

    def _ms_of(self, job: J, rows: int) -> float:
        return self._launch_ms(job.stage, job.model, rows)
