import gc
import threading
import time
import weakref
from typing import ClassVar

import numpy as np
import pytest
import torch
from device import wait_for

from suresam.domain import Prediction
from suresam.engine.black_box import BLACK_BOX_BYTES, BlackBox
from suresam.engine.cache import CacheLimits, EmbeddingCache
from suresam.engine.costs import CostTable
from suresam.engine.scheduler import BatchLimits
from suresam.engine.worker import Worker
from suresam.errors import (
    InferenceError,
    NonFiniteOutput,
    OutOfMemory,
    Quarantined,
    ShuttingDown,
    WorkerFailed,
)
from suresam.segmentation.backbone import ImageEmbedding
from suresam.segmentation.fake import FakeBackbone

WAIT_S = 60


@pytest.fixture
def backbone():
    return FakeBackbone()


@pytest.fixture
def hold(encode_job):
    """Closes a device's gate with an upload in front of it; what is submitted then must wait."""

    def held(worker, backbone):
        backbone.gate.clear()
        job = encode_job()
        worker.submit(job)
        wait_for(job.reply.running)
        return job

    return held


def test_jobs_that_wait_form_one_launch(start_worker, backbone, hold, decode_job):
    worker = start_worker(backbone)
    hold(worker, backbone)
    jobs = [decode_job(red) for red in (1, 2, 3)]
    for job in jobs:
        worker.submit(job)
    backbone.gate.set()
    done = [job.reply.result(WAIT_S) for job in jobs]
    assert backbone.launches == [("encode", 1), ("decode", 3)]
    assert {d.rows for d in done} == {3}
    assert len({d.launch_ms for d in done}) == 1
    assert all(d.spent_ms == d.launch_ms / 3 and d.queue_ms > 0 for d in done)
    # Each caller got its own row: the red value tilts the predicted IoU.
    assert [d.value.predicted_iou[0] for d in done] == pytest.approx([0.401, 0.402, 0.403])


def test_one_more_than_a_batch_holds_makes_a_second_launch(
    start_worker, backbone, hold, decode_job
):
    worker = start_worker(backbone, limits=BatchLimits(max_decode=2))
    hold(worker, backbone)
    jobs = [decode_job() for _ in range(3)]
    for job in jobs:
        worker.submit(job)
    backbone.gate.set()
    assert [job.reply.result(WAIT_S).rows for job in jobs] == [2, 2, 1]


def test_an_encode_puts_each_embedding_into_the_cache(
    start_worker, backbone, hold, encode_job, cache
):
    worker = start_worker(backbone)
    hold(worker, backbone)
    jobs = [encode_job(red) for red in (5, 6)]
    for job in jobs:
        worker.submit(job)
    backbone.gate.set()
    for job in jobs:
        job.reply.result(WAIT_S)
    for job, red in zip(jobs, (5, 6), strict=True):
        with cache.pinned((job.image_key, "fake-small"), "somebody") as lease:
            assert lease.embedding.image_embed.item() == red


def test_an_embedding_that_finds_no_slot_is_handed_over(
    start_worker, backbone, encode_job, clock, telemetry
):
    none = EmbeddingCache(CacheLimits(embedding_bytes=0), clock, telemetry)
    job = encode_job(5)
    start_worker(backbone, cache=none).submit(job)
    embedding = job.reply.result(WAIT_S).value
    assert isinstance(embedding, ImageEmbedding)
    assert embedding.image_embed.item() == 5


def test_a_job_that_is_done_is_let_go_at_once(start_worker, backbone, encode_job):
    """Without the garbage collector: an image has up to 150 MB."""
    worker = start_worker(backbone)
    job = encode_job()
    pixels = weakref.ref(job.image)
    worker.submit(job)
    reply = job.reply
    del job
    gc.disable()
    try:
        reply.result(WAIT_S)
        wait_for(lambda: pixels() is None)
    finally:
        gc.enable()


def test_a_row_whose_slot_holds_another_image_by_now_is_never_decoded(
    start_worker, backbone, decode_job, clock, telemetry
):
    """Pins prevent it; if they should fail, nobody gets a mask of somebody else's image."""
    cache = EmbeddingCache(CacheLimits(embedding_bytes=12), clock, telemetry)
    worker = start_worker(backbone, cache=cache)
    [embedding] = backbone.encode([np.zeros((1, 1, 3), np.uint8)])
    cache.put(("a", "fake-small"), embedding)
    with cache.pinned(("a", "fake-small"), "somebody") as lease:
        pass
    cache.put(("b", "fake-small"), embedding)
    job = decode_job()
    job.lease = lease
    worker.submit(job)
    assert isinstance(job.reply.exception(WAIT_S), InferenceError)


def test_a_poisoned_row_fails_alone(start_worker, backbone, hold, decode_job):
    worker = start_worker(backbone)
    hold(worker, backbone)
    jobs = [decode_job(red) for red in (1, backbone.poison, 3)]
    for job in jobs:
        worker.submit(job)
    backbone.gate.set()
    assert isinstance(jobs[0].reply.result(WAIT_S).value, Prediction)
    assert isinstance(jobs[2].reply.result(WAIT_S).value, Prediction)
    error = jobs[1].reply.exception(WAIT_S)
    assert type(error) is InferenceError
    assert backbone.launches[1:] == [("decode", n) for n in (3, 1, 1, 1)]
    assert worker.is_ready()


def test_a_row_of_nan_fails_alone_in_one_launch(start_worker, backbone, hold, decode_job):
    worker = start_worker(backbone)
    hold(worker, backbone)
    bad, good = decode_job(backbone.nan), decode_job(1)
    worker.submit(bad)
    worker.submit(good)
    backbone.gate.set()
    assert isinstance(bad.reply.exception(WAIT_S), NonFiniteOutput)
    assert good.reply.result(WAIT_S).rows == 2


class NarrowBackbone(FakeBackbone):
    """Has memory for so many rows only."""

    room = 2
    refused: ClassVar = []

    def decode(self, rows):
        if len(rows) > self.room:
            self.refused.append(len(rows))
            raise torch.OutOfMemoryError("no room")
        return super().decode(rows)


def test_what_has_no_memory_is_tried_in_halves_and_launches_stay_small_for_a_minute(
    start_worker, hold, decode_job
):
    backbone = NarrowBackbone()
    worker = start_worker(backbone)
    now = time.monotonic() + 60  # warming up met the bound, too
    worker._row_caps._clock = lambda: now

    def rows_of_five():
        hold(worker, backbone)
        jobs = [decode_job() for _ in range(5)]
        for job in jobs:
            worker.submit(job)
        backbone.refused.clear()
        backbone.gate.set()
        return [job.reply.result(WAIT_S).rows for job in jobs]

    assert rows_of_five() == [2, 2, 1, 2, 2]
    assert backbone.refused == [5, 3]
    now += 59
    assert rows_of_five() == [2, 2, 2, 2, 1]
    assert backbone.refused == []
    now += 1
    backbone.room = 5
    assert rows_of_five() == [5, 5, 5, 5, 5]


class Ballast:
    """What a launch holds on the device."""


class LeakBackbone(FakeBackbone):
    """Fails a batch that holds memory, and notes whether it is still held at the retry."""

    held: ClassVar = weakref.WeakSet()
    alive_at_retry: ClassVar = []

    def decode(self, rows):
        self.alive_at_retry.append(len(self.held))
        if len(rows) > 1:
            ballast = Ballast()
            self.held.add(ballast)
            raise torch.OutOfMemoryError("no room")
        return super().decode(rows)


def test_rows_are_retried_when_the_failed_batch_has_let_its_memory_go(
    start_worker, hold, decode_job
):
    backbone = LeakBackbone()
    worker = start_worker(backbone)
    hold(worker, backbone)
    backbone.alive_at_retry.clear()
    jobs = [decode_job(), decode_job()]
    for job in jobs:
        worker.submit(job)
    backbone.gate.set()
    for job in jobs:
        job.reply.result(WAIT_S)
    assert backbone.alive_at_retry == [0, 0, 0]


class FullBackbone(FakeBackbone):
    """Its device has no memory for an upload with this red value."""

    def encode(self, images):
        if int(images[0][0, 0, 0]) == 99:
            raise torch.OutOfMemoryError("no room")
        return super().encode(images)


def test_out_of_memory_for_a_row_alone_is_its_error(start_worker, encode_job):
    worker = start_worker(FullBackbone())
    job = encode_job(99)
    worker.submit(job)
    assert isinstance(job.reply.exception(WAIT_S), OutOfMemory)


def test_a_failed_launch_does_not_change_the_measured_cost(start_worker, encode_job):
    worker = start_worker(FullBackbone())
    before = worker._costs.row_ms("encode", "fake-small")
    job = encode_job(99)
    worker.submit(job)
    job.reply.exception(WAIT_S)
    assert worker._costs.row_ms("encode", "fake-small") == before


def test_the_death_of_the_worker_fails_those_it_held_and_a_new_one_serves_the_next(
    start_worker, backbone, hold, decode_job, encode_job
):
    worker = start_worker(backbone, limits=BatchLimits(max_decode=2))
    first_thread = worker._thread
    hold(worker, backbone)
    jobs = [decode_job(1), decode_job(backbone.deadly), decode_job(3)]
    for job in jobs:
        worker.submit(job)
    backbone.gate.set()
    for job in jobs[:2]:
        assert isinstance(job.reply.exception(WAIT_S), WorkerFailed)
    assert isinstance(jobs[2].reply.result(WAIT_S).value, Prediction)
    assert worker._thread is not first_thread
    later = encode_job()
    worker.submit(later)
    assert later.reply.result(WAIT_S).rows == 1
    assert worker.is_ready()


def test_what_killed_a_worker_is_tried_once_alone_and_then_no_more(
    start_worker, backbone, hold, decode_job
):
    worker = start_worker(backbone)

    def ask(*reds):
        hold(worker, backbone)
        backbone.launches.clear()
        jobs = [decode_job(red) for red in reds]
        for job in jobs:
            worker.submit(job)
        backbone.gate.set()
        failures = [type(job.reply.exception(WAIT_S)) for job in jobs]
        return failures, sorted(rows for stage, rows in backbone.launches if stage == "decode")

    good, deadly, nobody = 1, backbone.deadly, type(None)
    assert ask(good, deadly) == ([WorkerFailed, WorkerFailed], [2])
    # Both are suspects: each goes alone, beside somebody new, and the innocent is cleared.
    assert ask(good, deadly, 3) == ([nobody, WorkerFailed, nobody], [1, 1, 1])
    assert ask(good, deadly, 3) == ([nobody, Quarantined, nobody], [2])
    assert worker.is_ready()


def test_stopping_refuses_what_waits_and_what_comes(
    start_worker, backbone, hold, decode_job, encode_job
):
    worker = start_worker(backbone)
    running = hold(worker, backbone)
    waiting = [decode_job(), encode_job()]
    for job in waiting:
        worker.submit(job)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    for job in waiting:
        assert isinstance(job.reply.exception(WAIT_S), ShuttingDown)
    backbone.gate.set()
    stopping.join(WAIT_S)
    assert running.reply.result(WAIT_S).rows == 1
    late = decode_job()
    worker.submit(late)
    assert isinstance(late.reply.exception(WAIT_S), ShuttingDown)
    assert not worker.is_ready()
    assert backbone.launches == [("encode", 1)]


def test_a_cancelled_job_is_never_launched_and_is_counted(
    start_worker, backbone, hold, decode_job, encode_job, count
):
    worker = start_worker(backbone)
    hold(worker, backbone)
    left = [decode_job(), encode_job()]
    for job in left:
        worker.submit(job)
        assert job.reply.cancel()
    backbone.gate.set()
    last = encode_job()
    worker.submit(last)
    last.reply.result(WAIT_S)
    assert backbone.launches == [("encode", 1), ("encode", 1)]
    assert count("cancelled_total", stage="decode") == 1
    assert count("cancelled_total", stage="encode") == 1


def test_an_upload_is_served_although_all_clicks_before_it_left(
    start_worker, backbone, hold, decode_job, encode_job
):
    worker = start_worker(backbone)
    hold(worker, backbone)
    click, upload = decode_job(), encode_job()
    worker.submit(click)
    worker.submit(upload)
    click.reply.cancel()
    backbone.gate.set()
    assert upload.reply.result(WAIT_S).rows == 1


def test_a_running_job_cannot_be_cancelled(start_worker, backbone, hold):
    worker = start_worker(backbone)
    job = hold(worker, backbone)
    assert not job.reply.cancel()
    backbone.gate.set()
    assert job.reply.result(WAIT_S).rows == 1


def test_what_waits_is_told_by_count_and_by_cost(
    start_worker, backbone, hold, decode_job, encode_job, count
):
    worker = start_worker(backbone)
    hold(worker, backbone)
    worker.submit(decode_job())
    worker.submit(decode_job())
    worker.submit(encode_job())
    costs = worker._costs
    expected = costs.launch_ms("decode", "fake-small", 2) + costs.row_ms("encode", "fake-small")
    assert count("queue_depth", stage="decode", model="fake-small") == 2
    assert count("queue_depth", stage="encode", model="fake-small") == 1
    assert count("queue_cost_seconds", device="fake") == pytest.approx(expected / 1000)


def test_the_oldest_of_a_stage_that_waits_is_told_by_its_age(
    start_worker, backbone, hold, decode_job, encode_job, count
):
    worker = start_worker(backbone)
    hold(worker, backbone)
    old, young = decode_job(1), decode_job(2)
    old.submitted_at -= 100
    for job in (old, young):
        worker.submit(job)
    age = {"device": "fake"}
    assert 100 <= count("queue_age_seconds", stage="decode", **age) < 200
    idle = encode_job()
    idle.is_background, idle.submitted_at = True, time.monotonic() - 100
    worker.submit(idle)
    # One runs and waits no more, the other has all the time there is.
    assert count("queue_age_seconds", stage="encode", **age) == 0
    old.reply.cancel()
    assert count("queue_age_seconds", stage="decode", **age) < 100
    backbone.gate.set()
    young.reply.result(WAIT_S)
    assert count("queue_age_seconds", stage="decode", **age) == 0
    assert count("queue_seconds_count", stage="decode", model="fake-small") == 1
    assert count("queue_seconds_sum", stage="decode", model="fake-small") > 0


def test_warming_up_measures_every_model(start_worker, count):
    small, large = FakeBackbone("fake-small"), FakeBackbone("fake-large")
    worker = start_worker(small, large)
    assert worker.is_ready()
    for model in ("fake-small", "fake-large"):
        assert worker._costs.row_ms("encode", model) is not None
        sizes = worker._costs._launches_ms["decode", model]
        assert sorted(sizes) == [1, 16]


def test_a_worker_that_was_not_started_is_not_ready_and_stops(
    telemetry, backbone, decode_job, cache
):
    worker = Worker({backbone.name: backbone}, {}, BatchLimits(), CostTable(), cache, telemetry)
    assert not worker.is_ready()
    job = decode_job()
    worker.submit(job)
    worker.stop()
    assert isinstance(job.reply.exception(0), ShuttingDown)


class ColdBackbone(FakeBackbone):
    """Fails at once."""

    def encode(self, images):
        raise RuntimeError("no such device")


def test_a_failed_warm_up_is_not_ready_and_not_repeated(telemetry, count, cache):
    backbone = ColdBackbone()
    worker = Worker({backbone.name: backbone}, {}, BatchLimits(), CostTable(), cache, telemetry)
    worker.start()
    worker._thread.join(WAIT_S)
    assert not worker.is_alive()
    assert not worker.is_ready()
    worker.stop()


def test_jobs_from_many_threads_are_all_settled(start_worker, backbone, encode_job, cache):
    worker = start_worker(backbone)
    jobs = [encode_job(red) for red in range(60)]

    def submit(part):
        for job in part:
            worker.submit(job)

    threads = [threading.Thread(target=submit, args=(jobs[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    for red, job in enumerate(jobs):
        job.reply.result(WAIT_S)
        with cache.pinned((job.image_key, "fake-small"), "somebody") as lease:
            assert lease.embedding.image_embed.item() == red


def test_a_launch_that_hangs_loses_its_thread_and_the_next_is_answered(
    backbone, start_worker, decode_job
):
    worker = start_worker(backbone)
    backbone.gate.clear()
    stuck, other = decode_job(), decode_job(red=2)
    worker.submit(stuck)
    wait_for(worker.running)
    hung = worker._thread
    worker.replace(worker.running(), "it hangs")
    assert worker._thread is not hung
    assert isinstance(stuck.reply.exception(WAIT_S), WorkerFailed)
    backbone.gate.set()
    worker.submit(other)
    assert other.reply.result(WAIT_S).rows == 1
    hung.join(WAIT_S)
    assert not hung.is_alive()
    assert worker.is_ready()


def test_what_a_hanging_launch_held_is_tried_alone(backbone, start_worker, decode_job):
    worker = start_worker(backbone)
    backbone.gate.clear()
    stuck = decode_job()
    worker.submit(stuck)
    wait_for(worker.running)
    worker.replace(worker.running(), "it hangs")
    again, other = decode_job(), decode_job(red=2)
    worker.submit(again)
    worker.submit(other)
    backbone.gate.set()
    assert again.reply.result(WAIT_S).rows == other.reply.result(WAIT_S).rows == 1


def test_a_lost_device_fails_all_who_wait_and_whoever_comes(backbone, start_worker, decode_job):
    worker = start_worker(backbone)
    backbone.gate.clear()
    fatal, waiting = decode_job(red=backbone.lost), decode_job(num_points=2)
    worker.submit(fatal)
    worker.submit(waiting)
    backbone.gate.set()
    for job in (fatal, waiting):
        assert isinstance(job.reply.exception(WAIT_S), WorkerFailed)
    assert worker.is_lost
    assert not worker.is_ready()
    late = decode_job()
    worker.submit(late)
    assert isinstance(late.reply.exception(WAIT_S), WorkerFailed)


def test_a_launch_that_came_back_in_time_keeps_its_thread(backbone, start_worker, decode_job):
    worker = start_worker(backbone)
    backbone.gate.clear()
    slow = decode_job()
    worker.submit(slow)
    wait_for(worker.running)
    running, thread = worker.running(), worker._thread
    backbone.gate.set()
    slow.reply.result(WAIT_S)
    wait_for(lambda: worker.running() is None)
    worker.replace(running, "it seemed to hang")
    assert worker._thread is thread


def test_a_thread_that_was_replaced_keeps_no_embedding(backbone, start_worker, encode_job, cache):
    worker = start_worker(backbone)
    backbone.gate.clear()
    stuck = encode_job()
    worker.submit(stuck)
    wait_for(worker.running)
    hung = worker._thread
    worker.replace(worker.running(), "it hangs")
    backbone.gate.set()
    hung.join(WAIT_S)
    assert (stuck.image_key, stuck.model) not in cache


def test_stopping_does_not_wait_for_ever_for_a_launch_that_hangs(
    backbone, start_worker, decode_job, monkeypatch
):
    monkeypatch.setattr("suresam.engine.worker._STOP_S", 0.05)
    worker = start_worker(backbone)
    backbone.gate.clear()
    worker.submit(decode_job())
    wait_for(worker.running)
    worker.stop()
    assert worker.is_alive()


def test_what_failed_alone_is_no_suspect_of_a_later_death(telemetry, cache, backbone, decode_job):
    memory = bytearray(BLACK_BOX_BYTES)
    box = BlackBox(memory)
    worker = Worker(
        {backbone.name: backbone}, {}, BatchLimits(), CostTable(), cache, telemetry, None, box
    )
    worker.start()
    failing = decode_job(red=backbone.poison)
    worker.submit(failing)
    assert isinstance(failing.reply.exception(WAIT_S), InferenceError)
    wait_for(lambda: worker.running() is None)
    worker.stop()
    assert not box.read().is_suspect(failing.identity)
