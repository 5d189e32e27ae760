"""Which jobs share the next launch. Pure: no tensors, no clock, no threads."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import TypeVar

from suresam.engine.job import DecodeJob, EncodeJob, Job

J = TypeVar("J", EncodeJob, DecodeJob)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Rows in one launch.

    Attributes:
        max_encode: images; few, so that a click never waits long behind uploads.
        max_decode: prompts.
        decode_run: decode launches in a row after which a waiting encode has its turn.
    """

    max_encode: int = 4
    max_decode: int = 16
    decode_run: int = 8


class Scheduler:
    """Batches what is waiting, the oldest job first with those that may share its launch.

    Clicks (decode) go before uploads (encode), but not for ever: after `decode_run` launches
    one encode launch has its turn.
    """

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._encodes: deque[EncodeJob] = deque()
        self._decodes: deque[DecodeJob] = deque()
        self._decodes_in_a_row = 0

    def add(self, job: Job) -> None:
        """Queue a job behind those of its stage."""
        if isinstance(job, EncodeJob):
            self._encodes.append(job)
        else:
            self._decodes.append(job)

    def waiting(self) -> Counter[tuple[str, str]]:
        """Jobs waiting by (stage, model)."""
        jobs: list[Job] = [*self._decodes, *self._encodes]
        return Counter((job.stage, job.model) for job in jobs)

    def take(self) -> list[EncodeJob] | list[DecodeJob]:
        """Remove and return the next launch's jobs; empty when nobody waits.

        Callers who left are dropped here, before they cost device time.
        """
        # Before the stages are compared: a queue of cancelled jobs must not hide the other one.
        _drop_cancelled(self._encodes)
        _drop_cancelled(self._decodes)
        is_turn_of_encode = self._decodes_in_a_row >= self._limits.decode_run
        if self._encodes and (is_turn_of_encode or not self._decodes):
            self._decodes_in_a_row = 0
            return _take_bucket(self._encodes, self._limits.max_encode)
        # Only launches that pass a waiting encode count.
        self._decodes_in_a_row = self._decodes_in_a_row + 1 if self._encodes else 0
        return _take_bucket(self._decodes, self._limits.max_decode)

    def take_all(self) -> list[Job]:
        """Remove and return every job."""
        jobs: list[Job] = [*self._decodes, *self._encodes]
        self._decodes.clear()
        self._encodes.clear()
        return jobs


def _drop_cancelled(queue: deque[J]) -> None:
    live = [job for job in queue if not job.reply.cancelled()]
    queue.clear()
    queue.extend(live)


def _take_bucket(queue: deque[J], max_rows: int) -> list[J]:
    """The job whose turn it is and its bucket mates: first every request's first prompt, then
    every request's second, so that nobody's click waits behind somebody else's hundred.
    """
    if not queue:
        return []
    # Padding a prompt would change its masks, since the pad token takes part in attention:
    # a bucket has equal lengths only.
    ordered = sorted(queue, key=lambda job: job.turn)
    batch = [job for job in ordered if job.bucket == ordered[0].bucket][:max_rows]
    taken = set(map(id, batch))
    left = [job for job in queue if id(job) not in taken]
    queue.clear()
    queue.extend(left)
    return batch
