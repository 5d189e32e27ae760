"""Jobs and schedulers without a device."""

import math
from dataclasses import dataclass

from suresam.engine.scheduler import BatchLimits, Scheduler

NOW = 100.0
FIXED_MS, ROW_MS = 4.0, 1.0


@dataclass(eq=False)
class Job:
    stage: str = "decode"
    model: str = "a"
    length: int = 1
    tenant: str = "t"
    deadline: float = math.inf
    turn: int = 0
    is_background: bool = False

    @property
    def bucket(self):
        return (self.stage, self.model, self.length)


def encode(**keywords):
    return Job("encode", **keywords)


def decode(**keywords):
    return Job("decode", **keywords)


def launch_ms(stage, model, rows):
    return FIXED_MS + ROW_MS * rows


def scheduler_with(*jobs, costs=launch_ms, **limits):
    scheduler = Scheduler(BatchLimits(**limits), costs)
    for job in jobs:
        scheduler.add(job)
    return scheduler


def drain(scheduler, now=NOW):
    batches = []
    while batch := scheduler.take(now):
        batches.append(batch)
    return batches


def idle(**keywords):
    return encode(is_background=True, **keywords)
