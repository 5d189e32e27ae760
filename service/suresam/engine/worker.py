"""The only loop on the device: takes what is waiting, launches it, settles every reply."""

import logging
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np
import torch

from suresam.domain import ImageSize, Point, Prompt
from suresam.engine.costs import CostTable
from suresam.engine.job import DecodeJob, Done, EncodeJob, Job
from suresam.engine.scheduler import BatchLimits, Scheduler
from suresam.errors import (
    InferenceError,
    OutOfMemory,
    ServiceError,
    ShuttingDown,
    WorkerFailed,
)
from suresam.prediction import Wanted, predict
from suresam.segmentation.backbone import Backbone
from suresam.segmentation.prompts import prompt_row
from suresam.telemetry import Telemetry
from suresam.uncertainty.member_heads import MemberHeads

logger = logging.getLogger(__name__)

_WARM_UP_RUNS = 3
_SAMPLE_SIZE = ImageSize(640, 480)


class Worker:
    """One thread for one device. `submit` may be called from any thread.

    A failed launch is tried row by row, so that one bad row never becomes a neighbour's error.
    If the thread itself dies, those it held get `WorkerFailed` and a new thread takes over.
    """

    def __init__(
        self,
        backbones: Mapping[str, Backbone],
        heads: Mapping[str, MemberHeads],
        limits: BatchLimits,
        costs: CostTable,
        telemetry: Telemetry,
    ) -> None:
        self._backbones = backbones
        self._heads = heads
        self._costs = costs
        self._telemetry = telemetry
        self._scheduler = Scheduler(limits)
        self._changed = threading.Condition()
        self._is_stopping = False
        self._is_warm = False
        self._held: Sequence[Job] = ()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; it warms every model up first."""
        thread = threading.Thread(target=self._main, name="device", daemon=True)
        with self._changed:  # the thread takes no job, and so cannot die, before it is known
            thread.start()
            self._thread = thread

    def submit(self, job: Job) -> None:
        """Queue a job. Its reply is settled in any case."""
        with self._changed:
            if self._is_stopping:
                job.reply.set_exception(ShuttingDown("the server is stopping"))
                return
            job.reply.add_done_callback(partial(self._count_if_cancelled, job.stage))
            self._scheduler.add(job)
            self._report()
            self._changed.notify()

    def is_ready(self) -> bool:
        """Whether the models are warm and the thread is alive."""
        return self._is_warm and self.is_alive()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def waiting_ms(self) -> float:
        """Device milliseconds of queued work, by the cost table."""
        with self._changed:
            return self._cost_ms(self._scheduler.waiting())

    def stop(self) -> None:
        """Finish the running launch, refuse what waits, end the thread."""
        with self._changed:
            self._is_stopping = True
            for job in self._scheduler.take_all():
                _fail(job, ShuttingDown("the server is stopping"))
            self._report()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._telemetry.engine_up.set(0)

    def _main(self) -> None:
        try:
            if not self._is_warm:
                self._warm_up()
                self._is_warm = True
            self._telemetry.engine_up.set(1)
            self._loop()
        except BaseException:  # the thread must not die with callers waiting
            logger.exception("the device's worker died")
            self._telemetry.engine_up.set(0)
            held, self._held = self._held, ()
            # First the new thread: who is told to try again must find it.
            if self._is_warm and not self._is_stopping:
                self.start()
            for job in held:
                _fail(job, WorkerFailed("the device's worker died; try again"))

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not (batch := self._scheduler.take()):
                    if self._is_stopping:
                        return
                    self._report()
                    self._changed.wait()
                self._report()
            self._held = batch
            live = [job for job in batch if job.reply.set_running_or_notify_cancel()]
            if live:
                self._run(live)
            self._held = ()

    def _run(self, batch: Sequence[Job]) -> None:
        """Launch a batch of one bucket; if it fails, each row alone."""
        started = time.monotonic()
        try:
            values = self._launch(batch)
        except Exception as error:  # the worker's edge: nothing may pass it
            if len(batch) == 1:
                logger.exception("a row failed")
            else:
                # As text: a log record that is kept would keep the tensors, too.
                reason = repr(error)
                logger.warning("%d rows failed, trying them alone: %s", len(batch), reason)
            failure = _as_service_error(error)
        else:
            self._settle(batch, values, started)
            return
        # Outside the except clause: in it the exception would keep the failed batch's tensors
        # alive, and after an out-of-memory the rows need that room.
        if len(batch) == 1:
            _fail(batch[0], failure)
            return
        for job in batch:
            self._run([job])

    def _settle(self, batch: Sequence[Job], values: Sequence[Any], started: float) -> None:
        launch_ms = (time.monotonic() - started) * 1000
        self._record(batch, launch_ms)
        for job, value in zip(batch, values, strict=True):
            if isinstance(value, ServiceError):
                _fail(job, value)
            else:
                queue_ms = (started - job.submitted_at) * 1000
                job.reply.set_result(Done(value, queue_ms, launch_ms, len(batch)))

    def _launch(self, batch: Sequence[Job]) -> Sequence[Any]:
        first = batch[0]
        backbone = self._backbones[first.model]
        if isinstance(first, EncodeJob):
            return backbone.encode([job.image for job in batch if isinstance(job, EncodeJob)])
        decodes = [job for job in batch if isinstance(job, DecodeJob)]
        rows, wanted = [job.row for job in decodes], [job.wanted for job in decodes]
        return predict(backbone, rows, wanted, self._heads.get(first.model))

    def _count_if_cancelled(self, stage: str, reply: "Future[Any]") -> None:
        if reply.cancelled():
            self._telemetry.cancelled.labels(stage).inc()

    def _record(self, batch: Sequence[Job], launch_ms: float) -> None:
        stage, model = batch[0].stage, batch[0].model
        self._costs.record(stage, model, len(batch), launch_ms)
        self._telemetry.stage_seconds.labels(stage).observe(launch_ms / 1000)
        self._telemetry.batch_size.labels(stage, model).observe(len(batch))

    def _report(self) -> None:
        waiting = self._scheduler.waiting()
        for model in self._backbones:
            for stage in ("encode", "decode"):
                self._telemetry.queue_depth.labels(stage, model).set(waiting[stage, model])
        device = next(iter(self._backbones.values())).device
        self._telemetry.queue_cost_seconds.labels(device).set(self._cost_ms(waiting) / 1000)

    def _cost_ms(self, jobs: Mapping[tuple[str, str], int]) -> float:
        return sum(
            count * (self._costs.row_ms(stage, model) or 0.0)
            for (stage, model), count in jobs.items()
        )

    def _warm_up(self) -> None:
        """Run every model a few times, which also fills the cost table."""
        image = np.linspace(0, 255, _SAMPLE_SIZE.height * _SAMPLE_SIZE.width * 3)
        sample = image.astype(np.uint8).reshape(_SAMPLE_SIZE.height, _SAMPLE_SIZE.width, 3)
        centre = Point(_SAMPLE_SIZE.width / 2, _SAMPLE_SIZE.height / 2)
        for model, backbone in self._backbones.items():
            [embedding] = backbone.encode([sample])
            row = prompt_row(Prompt(points=(centre,)), _SAMPLE_SIZE, embedding, backbone)
            decode = partial(
                predict,
                backbone,
                [row],
                [Wanted(_SAMPLE_SIZE, entropy=True, heads=True)],
                self._heads.get(model),
            )
            decode()
            encode_ms = _median_ms(partial(backbone.encode, [sample]))
            decode_ms = _median_ms(decode)
            self._costs.record("encode", model, 1, encode_ms)
            self._costs.record("decode", model, 1, decode_ms)
            logger.info("%s: encode %.1f ms, decode %.1f ms a row", model, encode_ms, decode_ms)


def _median_ms(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_WARM_UP_RUNS):
        started = time.monotonic()
        run()
        times.append((time.monotonic() - started) * 1000)
    return statistics.median(times)


def _as_service_error(error: Exception) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, torch.OutOfMemoryError):
        return OutOfMemory("the device ran out of memory")
    return InferenceError("the model failed")


def _fail(job: Job, error: ServiceError) -> None:
    """Settle a reply with an error, unless it is settled or its caller left."""
    if job.reply.done():
        return
    if not job.reply.running() and not job.reply.set_running_or_notify_cancel():
        return
    job.reply.set_exception(error)
