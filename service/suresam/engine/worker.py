"""The only loop on the device: takes what is waiting, launches it, settles every reply."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import torch

from suresam.engine.black_box import BlackBox
from suresam.engine.cache import EmbeddingCache
from suresam.engine.costs import CostTable
from suresam.engine.device_errors import as_service_error, is_device_lost
from suresam.engine.device_threads import DeviceThreads
from suresam.engine.job import DecodeJob, Done, EncodeJob, GivenUp, Job, bill, fail, note_run
from suresam.engine.quarantine import Quarantine
from suresam.engine.queue_gauges import report_queue
from suresam.engine.row_caps import RowCaps
from suresam.engine.running import Running
from suresam.engine.scheduler import BatchLimits, Scheduler
from suresam.engine.warm_up import warm_up
from suresam.errors import (
    ConfigurationError,
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

_STOP_S = 5.0
"""For a thread to come back from its last launch."""


class Worker:
    """One thread for one device. `submit` may be called from any thread.

    A failed launch is tried again in parts (halves where memory ran out, else row by row), so that
    one bad row never becomes a neighbour's error.
    If the thread itself dies, those it held get `WorkerFailed` and a new thread takes over; see
    `Quarantine` for what becomes of them when they are asked again. `replace` does the same to a
    thread that hangs. When the device itself is lost, nobody takes over.
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
        black_box: BlackBox | None = None,
        charge: Callable[[Mapping[str, float]], None] = lambda owed_ms: None,
    ) -> None:
        self._charge = charge
        self._backbones = backbones
        self._heads = heads
        self._costs = costs
        self._cache = cache
        self._telemetry = telemetry
        device = next(iter(backbones.values())).device
        self._threads = DeviceThreads(device, decode_threads)
        self._row_caps = RowCaps(time.monotonic)
        self._black_box = black_box
        self._quarantine = Quarantine() if black_box is None else black_box.read()
        self._scheduler: Scheduler[Job] = Scheduler(limits, self._launch_ms, self._row_caps)
        self._changed = threading.Condition()
        self._is_stopping = False
        self._is_warm = False
        self._is_lost = False
        self.misconfigured: ConfigurationError | None = None
        """Why warming up failed, where the user can mend it."""
        self._jobs: dict[Future[Any], Job] = {}
        self._held: Sequence[Job] = ()
        self._running: Running | None = None
        # Held while an embedding is kept, so that a thread that was replaced keeps none.
        self._putting = threading.Lock()
        self._thread: threading.Thread | None = None
        report_queue(telemetry, self, device, backbones)

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
            if self._is_lost:
                job.reply.set_exception(WorkerFailed("the device is lost; try again"))
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
            self._make_way()
            self._changed.notify()

    def promote(self, job: Job, deadline: float) -> None:
        """Let a background job that still waits be one that somebody waits for."""
        with self._changed:
            self._scheduler.promote(job, deadline)
            self._make_way()

    def postpone(self, job: Job, deadline: float) -> None:
        """Let a job that still waits have a later deadline."""
        with self._changed:
            self._scheduler.postpone(job, deadline)

    def is_ready(self) -> bool:
        """Whether the models are warm and the thread is alive."""
        return self._is_warm and self.is_alive() and not self._is_lost

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_lost(self) -> bool:
        """Whether the device failed so that this process can use it no more."""
        return self._is_lost

    def running(self) -> Running | None:
        """The launch that is on the device, or None."""
        with self._changed:
            return self._running

    def replace(self, running: Running, reason: str) -> None:
        """Give up the thread in a launch, which hangs; a new one takes over.

        Those it held get `WorkerFailed`. Whatever the old thread still comes to, nobody hears of.

        Args:
            running: the launch; if it has come back by now, nothing happens.
            reason: for those who waited.
        """
        with self._putting, self._changed:
            if self._running is not running:
                return
            for job in (*self._blame_held(), *self._take_over()):
                fail(job, WorkerFailed(f"{reason}; try again"))

    def learn(self, quarantine: Quarantine) -> None:
        """Suspect whom another device's worker died of."""
        with self._changed:
            self._quarantine.take_over(quarantine)

    def work_ms(self, rows: Mapping[tuple[str, str], int]) -> float:
        """Device milliseconds of rows by (stage, model), by the cost table."""
        return self._scheduler.work_ms(rows)

    def waiting(self) -> Counter[tuple[str, str]]:
        """Jobs that wait, by (stage, model), without those in the background."""
        with self._changed:
            return self._scheduler.waiting()

    def queue_age_s(self, stage: str) -> float:
        """Seconds for which the oldest job of a stage has waited; 0 when none waits.

        One in the background waits for idle time, and for that it may.
        """
        now = time.monotonic()
        with self._changed:
            waiting = (
                job.submitted_at
                for reply, job in self._jobs.items()
                if job.stage == stage and not (job.is_background or reply.running() or reply.done())
            )
            return max(0.0, now - min(waiting, default=now))

    def stop(self) -> None:
        """Finish the running launch, refuse what waits, end the thread."""
        with self._changed:
            self._is_stopping = True
            for job in self._scheduler.take_all():
                fail(job, ShuttingDown("the server is stopping"))
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_STOP_S)  # not for ever: it may hang in its launch

    def _main(self) -> None:
        try:
            if not self._is_warm:
                self._cache.allocate({name: self._warm_up(name) for name in self._backbones})
                self._is_warm = True
            self._loop()
        except BaseException as error:  # the thread must not die with callers waiting
            if isinstance(error, ConfigurationError):
                self.misconfigured = error  # told in one line by whoever started it
            else:
                logger.exception("the device's worker died")
            with self._changed:
                if self._is_mine():
                    self._bury(isinstance(error, Exception) and is_device_lost(error))

    def _bury(self, is_lost: bool) -> None:
        """See to those whom the dead thread leaves behind."""
        left = list(self._blame_held())
        # First the new thread: who is told to try again must find it.
        if is_lost:
            left += self._lose_device()
        elif self._is_warm and not self._is_stopping:
            left += self._take_over()
        for job in left:
            fail(job, WorkerFailed("the device's worker died; try again"))

    def _take_over(self) -> list[Job]:
        """Let another thread go on. If there can be none, nobody will do the jobs it returns."""
        try:
            self.start()
        except RuntimeError:  # no memory or number left for one
            logger.exception("the device's worker could not be replaced")
            return self._lose_device()
        return []

    def _lose_device(self) -> list[Job]:
        """Take nobody in any more, and give up all who wait."""
        self._is_lost = True
        return self._scheduler.take_all()

    def _blame_held(self) -> Sequence[Job]:
        """Those whom a thread leaves behind in its launch, who are suspects from now on."""
        held, self._held, self._running = self._held, (), None
        self._quarantine.blame(job.identity for job in held if not job.reply.done())
        return held

    def _note(self, held: Sequence[Job]) -> None:
        """Leave word of what is on the device, should the process not come back from it."""
        if self._black_box is not None:
            self._black_box.write(self._quarantine, [job.identity for job in held])

    def _is_mine(self) -> bool:
        """Whether the calling thread is the worker's still, and no other took its place."""
        return threading.current_thread() is self._thread

    def _warm_up(self, model: str) -> ImageEmbedding:
        backbone, heads = self._backbones[model], self._heads.get(model)
        max_rows = self._scheduler.max_rows
        return warm_up(backbone, heads, self._costs, max_rows, self._threads.set_for)

    def _loop(self) -> None:
        while True:
            with self._changed:
                if not self._is_mine():
                    return
                self._held, self._running = (), None
                while not (batch := self._scheduler.take(time.monotonic())):
                    if self._is_stopping:
                        return
                    self._changed.wait()
                    if not self._is_mine():
                        return
                self._held = batch
                live = [job for job in batch if job.reply.set_running_or_notify_cancel()]
            if live:
                self._run(live)
            del batch, live  # or the last launch would be kept as long as nobody comes

    def _run(self, batch: Sequence[Job]) -> None:
        """Launch a batch of one bucket; if it fails, in parts."""
        started = time.monotonic()
        with self._changed:
            if not self._is_mine():
                return
            first, rows = batch[0], len(batch)
            self._running = Running(self._launch_ms(first.stage, first.model, rows))
            self._note(batch)
        try:
            values = self._launch(batch)
        except Exception as error:  # the worker's edge: nothing may pass it
            if is_device_lost(error):
                raise
            if len(batch) == 1:
                logger.exception("a row failed")
            else:
                # As text: a log record that is kept would keep the tensors, too.
                reason = repr(error)
                logger.warning("%d rows failed, trying them in parts: %s", len(batch), reason)
            failure = as_service_error(error)
        else:
            self._settle(batch, values, started)
            return
        # Outside the except clause: in it the exception would keep the failed batch's tensors
        # alive, and after an out-of-memory the rows need that room.
        if len(batch) == 1:
            with self._changed:
                if self._is_mine():
                    note_run(batch, [failure], self._backbones[first.model], started)
                    fail(batch[0], failure)
                    self._note(())
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
        with self._changed:
            if not self._is_mine():
                return
            queue_ms = [(started - job.submitted_at) * 1000 for job in batch]
            self._record(batch, launch_ms, queue_ms)
            self._charge(bill(batch, launch_ms))
            note_run(batch, values, self._backbones[batch[0].model], started)
            if batch[0].is_suspect:
                self._quarantine.clear(batch[0].identity)
            for job, value, waited_ms in zip(batch, values, queue_ms, strict=True):
                if isinstance(value, ServiceError):
                    assert isinstance(job, DecodeJob), "an encode fails as a whole"
                    job.spent_ms = launch_ms / len(batch)
                    fail(job, value)
                else:
                    job.reply.set_result(Done(value, waited_ms, launch_ms, len(batch), ran=job.ran))
            self._note(())

    def _launch(self, batch: Sequence[Job]) -> Sequence[Any]:
        first = batch[0]
        backbone = self._backbones[first.model]
        self._threads.set_for(first.stage)
        if isinstance(first, EncodeJob):
            return self._encode(backbone, [job for job in batch if isinstance(job, EncodeJob)])
        decodes = [job for job in batch if isinstance(job, DecodeJob)]
        wanted, heads = [job.wanted for job in decodes], self._heads.get(first.model)
        leases = [job.lease for job in decodes if job.lease is not None]
        with self._cache.on_device(leases) as embeddings:
            rows = [
                replace(job.row, embedding=embeddings[job.lease]) if job.lease else job.row
                for job in decodes
            ]
            return predict(backbone, rows, wanted, heads)

    def _encode(self, backbone: Backbone, batch: Sequence[EncodeJob]) -> list[ImageEmbedding]:
        embeddings = backbone.encode([job.image for job in batch])
        with self._putting:
            if self._is_mine():
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

    def _record(self, batch: Sequence[Job], launch_ms: float, queue_ms: Sequence[float]) -> None:
        stage, model = batch[0].stage, batch[0].model
        self._costs.record(stage, model, len(batch), launch_ms)
        self._telemetry.stage_seconds.labels(stage).observe(launch_ms / 1000)
        self._telemetry.batch_size.labels(stage, model).observe(len(batch))
        waited = self._telemetry.queue_seconds.labels(stage, model)
        for waited_ms in queue_ms:
            waited.observe(waited_ms / 1000)

    def _make_way(self) -> None:
        for job in self._scheduler.given_up():
            fail(job, GivenUp())

    def _launch_ms(self, stage: str, model: str, rows: int) -> float:
        known_ms = self._costs.launch_ms(stage, model, rows)
        return rows * _UNKNOWN_ROW_MS if known_ms is None else known_ms
