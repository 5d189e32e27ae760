"""What waits for a device, told to whoever scrapes the metrics, and reckoned only then."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Protocol

from suresam.engine.scheduler import DECODE, ENCODE
from suresam.telemetry import Telemetry


class Queue(Protocol):
    """Jobs that wait for a device."""

    def waiting(self) -> Counter[tuple[str, str]]:
        """How many, by (stage, model)."""

    def queue_age_s(self, stage: str) -> float:
        """Seconds for which the oldest of a stage has waited; 0 when none waits."""

    def work_ms(self, rows: Mapping[tuple[str, str], int]) -> float:
        """Device milliseconds of rows, by the cost table."""


def report_queue(telemetry: Telemetry, queue: Queue, device: str, models: Iterable[str]) -> None:
    """Let the gauges of a device's queue say how it is when they are read."""
    for stage in (ENCODE, DECODE):
        age_s = telemetry.queue_age_seconds.labels(stage, device)
        age_s.set_function(partial(queue.queue_age_s, stage))
    for model in models:
        for stage in (ENCODE, DECODE):
            depth = telemetry.queue_depth.labels(stage, model)
            depth.set_function(partial(_depth, queue, stage, model))
    telemetry.queue_cost_seconds.labels(device).set_function(partial(_cost_s, queue))


def _depth(queue: Queue, stage: str, model: str) -> float:
    return queue.waiting()[stage, model]


def _cost_s(queue: Queue) -> float:
    return queue.work_ms(queue.waiting()) / 1000
