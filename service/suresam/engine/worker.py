"""The only loop on the device: takes what is waiting, launches it, settles every reply."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import torch

from suresam.engine.cache import EmbeddingCache
from suresam.engine.costs import CostTable
from suresam.engine.device_threads import DeviceThreads
from suresam.engine.job import DecodeJob, Done, EncodeJob, Job
from suresam.engine.quarantine import Quarantine
from suresam.engine.row_caps import RowCaps
from suresam.engine.scheduler import BatchLimits, Scheduler
from suresam.engine.warm_up import warm_up
from suresam.errors import (
    ConfigurationError,
    InferenceError,
    OutOfMemory,
    Quarantined,
    ServiceError,
    ShuttingDown,
    WorkerFailed,
)
from suresam.prediction import predict
from suresam.segmentation.backbone import Backbone, ImageEmbedding
from suresam.telemetry import Telemetry
from suresam.uncertainty.member_heads import MemberHeads

logger = logging.getLogger(__name__)

_UNKNOWN_ROW_MS = 1.0
"""What a row is taken to cost before it was measured."""


class Worker:
    """One thread for one device. `submit` may be called from any thread.

    A failed launch is tried again in parts (halves where memory ran out, else row by row), so that
    one bad row never becomes a neighbour's error.
    If the thread itself dies, those it held get `WorkerFailed` and a new thread takes over; see
    `Quarantine` for what becomes of them when they are asked again.
    """

    def __init__(
        self,
        backbones: Mapping[str, Backbone],
        heads: Mapping[str, MemberHeads],
        limits: BatchLimits,
        costs: CostTable,
        cache: EmbeddingCache,
        telemetry: Telemetry,
        decode_threads: int | None = None,
    ) -> None:
        self._backbones = backbones
        self._heads = heads
        self._costs = costs
        self._cache = cache
        self._telemetry = telemetry
        device = next(iter(backbones.values())).device
        self._threads = DeviceThreads(device, decode_threads)
        self._row_caps = RowCaps(time.monotonic)
        self._quarantine = Quarantine()
        self._scheduler: Scheduler[Job] = Scheduler(limits, self._launch_ms, self._row_caps)
        self._changed = threading.Condition()
        self._is_stopping = False
        self._is_warm = False
        self.misconfigured: ConfigurationError | None = None
        """Why warming up failed, where the user can mend it."""
        self._jobs: dict[Future[Any], Job] = {}
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
            if self._quarantine.is_guilty(job.identity):
                job.reply.set_exception(Quarantined(f"this {job.stage} killed two workers"))
                return
            job.is_suspect = self._quarantine.is_suspect(job.identity)
            # Not bound to the callback, which the reply keeps: job and reply would hold each other,
            # and the job's pixels, until the garbage collector comes by.
            self._jobs[job.reply] = job
            job.reply.add_done_callback(self._forget)
            self._scheduler.add(job)
            self._report()
            self._changed.notify()

    def postpone(self, job: Job, deadline: float) -> None:
        """Let a job that still waits have a later deadline."""
        with self._changed:
            self._scheduler.postpone(job, deadline)

    def is_ready(self) -> bool:
        """Whether the models are warm and the thread is alive."""
        return self._is_warm and self.is_alive()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def work_ms(self, rows: Mapping[tuple[str, str], int]) -> float:
        """Device milliseconds of rows by (stage, model), by the cost table."""
        return self._scheduler.work_ms(rows)

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
                self._cache.allocate({name: self._warm_up(name) for name in self._backbones})
                self._is_warm = True
            self._telemetry.engine_up.set(1)
            self._loop()
        except BaseException as error:  # the thread must not die with callers waiting
            if isinstance(error, ConfigurationError):
                self.misconfigured = error
            logger.exception("the device's worker died")
            self._telemetry.engine_up.set(0)
            held, self._held = self._held, ()
            with self._changed:
                self._quarantine.blame(job.identity for job in held if not job.reply.done())
            # First the new thread: who is told to try again must find it.
            if self._is_warm and not self._is_stopping:
                self.start()
            for job in held:
                _fail(job, WorkerFailed("the device's worker died; try again"))

    def _warm_up(self, model: str) -> ImageEmbedding:
        backbone, heads = self._backbones[model], self._heads.get(model)
        max_rows = self._scheduler.max_rows
        return warm_up(backbone, heads, self._costs, max_rows, self._threads.set_for)

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not (batch := self._scheduler.take(time.monotonic())):
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
            del batch, live  # or the last launch would be kept as long as nobody comes

    def _run(self, batch: Sequence[Job]) -> None:
        """Launch a batch of one bucket; if it fails, in parts."""
        started = time.monotonic()
        try:
            values = self._launch(batch)
        except Exception as error:  # the worker's edge: nothing may pass it
            if len(batch) == 1:
                logger.exception("a row failed")
            else:
                # As text: a log record that is kept would keep the tensors, too.
                reason = repr(error)
                logger.warning("%d rows failed, trying them in parts: %s", len(batch), reason)
            failure = _as_service_error(error)
        else:
            self._settle(batch, values, started)
            return
        # Outside the except clause: in it the exception would keep the failed batch's tensors
        # alive, and after an out-of-memory the rows need that room.
        if len(batch) == 1:
            _fail(batch[0], failure)
            return
        # Any other failure is some row's own fault, which is found when each is tried alone.
        part = 1
        if isinstance(failure, OutOfMemory):
            part = (len(batch) + 1) // 2
            self._row_caps.lower(batch[0].stage, batch[0].model, part)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        for start in range(0, len(batch), part):
            self._run(batch[start : start + part])

    def _settle(self, batch: Sequence[Job], values: Sequence[Any], started: float) -> None:
        launch_ms = (time.monotonic() - started) * 1000
        self._record(batch, launch_ms)
        if batch[0].is_suspect:
            with self._changed:
                self._quarantine.clear(batch[0].identity)
        for job, value in zip(batch, values, strict=True):
            if isinstance(value, ServiceError):
                _fail(job, value)
            else:
                queue_ms = (started - job.submitted_at) * 1000
                job.reply.set_result(Done(value, queue_ms, launch_ms, len(batch)))

    def _launch(self, batch: Sequence[Job]) -> Sequence[Any]:
        first = batch[0]
        backbone = self._backbones[first.model]
        self._threads.set_for(first.stage)
        if isinstance(first, EncodeJob):
            return self._encode(backbone, [job for job in batch if isinstance(job, EncodeJob)])
        decodes = [job for job in batch if isinstance(job, DecodeJob)]
        for job in decodes:
            assert job.ref is None or self._cache.is_current(job.model, job.ref), "it is pinned"
        rows, wanted = [job.row for job in decodes], [job.wanted for job in decodes]
        return predict(backbone, rows, wanted, self._heads.get(first.model))

    def _encode(self, backbone: Backbone, batch: Sequence[EncodeJob]) -> list[ImageEmbedding]:
        embeddings = backbone.encode([job.image for job in batch])
        for job, embedding in zip(batch, embeddings, strict=True):
            self._cache.put((job.image_key, job.model), embedding)
        return embeddings

    def _forget(self, reply: "Future[Any]") -> None:
        """A job is done; one whose caller left goes at once, with the pixels that it holds."""
        with self._changed:
            job = self._jobs.pop(reply)
            if reply.cancelled():
                self._telemetry.cancelled.labels(job.stage).inc()
                self._scheduler.remove(job)
                self._report()

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
        self._telemetry.queue_cost_seconds.labels(device).set(self.work_ms(waiting) / 1000)

    def _launch_ms(self, stage: str, model: str, rows: int) -> float:
        known_ms = self._costs.launch_ms(stage, model, rows)
        return rows * _UNKNOWN_ROW_MS if known_ms is None else known_ms


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
