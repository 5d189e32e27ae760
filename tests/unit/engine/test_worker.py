import gc
import threading
import time
import weakref

import numpy as np
import pytest
from device import wait_for

from suresam.engine.cache import CacheLimits, EmbeddingCache
from suresam.engine.costs import CostTable
from suresam.engine.scheduler import BatchLimits
from suresam.engine.worker import Worker
from suresam.errors import InferenceError, ShuttingDown
from suresam.segmentation.backbone import ImageEmbedding
from suresam.segmentation.fake import FakeBackbone

WAIT_S = 60


def test_jobs_that_wait_form_one_launch(start_worker, backbone, submit_together, decode_job):
    worker = start_worker(backbone)
    jobs = [decode_job(red) for red in (1, 2, 3)]
    submit_together(worker, backbone, jobs)
    done = [job.reply.result(WAIT_S) for job in jobs]
    assert backbone.launches == [("encode", 1), ("decode", 3)]
    assert {d.rows for d in done} == {3}
    assert len({d.launch_ms for d in done}) == 1
    assert all(d.spent_ms == d.launch_ms / 3 and d.queue_ms > 0 for d in done)
    # Each caller got its own row: the red value tilts the predicted IoU.
    assert [d.value.predicted_iou[0] for d in done] == pytest.approx([0.401, 0.402, 0.403])


def test_one_more_than_a_batch_holds_makes_a_second_launch(
    start_worker, backbone, submit_together, decode_job
):
    worker = start_worker(backbone, limits=BatchLimits(max_decode=2))
    jobs = [decode_job() for _ in range(3)]
    submit_together(worker, backbone, jobs)
    assert [job.reply.result(WAIT_S).rows for job in jobs] == [2, 2, 1]


def test_an_encode_puts_each_embedding_into_the_cache(
    start_worker, backbone, submit_together, encode_job, cache
):
    worker = start_worker(backbone)
    jobs = [encode_job(red) for red in (5, 6)]
    submit_together(worker, backbone, jobs)
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
