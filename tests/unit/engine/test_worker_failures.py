"""Rows that fail, launches that hang and workers that die."""

import time
import weakref
from typing import ClassVar

import pytest
import torch
from device import wait_for

from suresam.domain import Prediction
from suresam.engine.black_box import BLACK_BOX_BYTES, BlackBox
from suresam.engine.costs import CostTable
from suresam.engine.scheduler import BatchLimits
from suresam.engine.worker import Worker
from suresam.errors import (
    InferenceError,
    NonFiniteOutput,
    OutOfMemory,
    Quarantined,
    WorkerFailed,
)
from suresam.segmentation.fake import FakeBackbone

WAIT_S = 60


def test_a_poisoned_row_fails_alone(start_worker, backbone, submit_together, decode_job):
    worker = start_worker(backbone)
    jobs = [decode_job(red) for red in (1, backbone.poison, 3)]
    submit_together(worker, backbone, jobs)
    assert isinstance(jobs[0].reply.result(WAIT_S).value, Prediction)
    assert isinstance(jobs[2].reply.result(WAIT_S).value, Prediction)
    error = jobs[1].reply.exception(WAIT_S)
    assert type(error) is InferenceError
    assert backbone.launches[1:] == [("decode", n) for n in (3, 1, 1, 1)]
    assert worker.is_ready()


def test_a_row_of_nan_fails_alone_in_one_launch(
    start_worker, backbone, submit_together, decode_job
):
    worker = start_worker(backbone)
    bad, good = decode_job(backbone.nan), decode_job(1)
    submit_together(worker, backbone, [bad, good])
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
    start_worker, submit_together, decode_job
):
    backbone = NarrowBackbone()
    worker = start_worker(backbone)
    now = time.monotonic() + 60  # warming up met the bound, too
    worker._row_caps._clock = lambda: now

    def rows_of_five():
        backbone.refused.clear()
        jobs = [decode_job() for _ in range(5)]
        submit_together(worker, backbone, jobs)
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
    start_worker, submit_together, decode_job
):
    backbone = LeakBackbone()
    worker = start_worker(backbone)
    backbone.alive_at_retry.clear()
    jobs = [decode_job(), decode_job()]
    submit_together(worker, backbone, jobs)
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
    start_worker, backbone, submit_together, decode_job, encode_job
):
    worker = start_worker(backbone, limits=BatchLimits(max_decode=2))
    first_thread = worker._thread
    jobs = [decode_job(1), decode_job(backbone.deadly), decode_job(3)]
    submit_together(worker, backbone, jobs)
    for job in jobs[:2]:
        assert isinstance(job.reply.exception(WAIT_S), WorkerFailed)
    assert isinstance(jobs[2].reply.result(WAIT_S).value, Prediction)
    assert worker._thread is not first_thread
    later = encode_job()
    worker.submit(later)
    assert later.reply.result(WAIT_S).rows == 1
    assert worker.is_ready()


def test_what_killed_a_worker_is_tried_once_alone_and_then_no_more(
    start_worker, backbone, submit_together, decode_job
):
    worker = start_worker(backbone)

    def ask(*reds):
        backbone.launches.clear()
        jobs = [decode_job(red) for red in reds]
        submit_together(worker, backbone, jobs)
        failures = [type(job.reply.exception(WAIT_S)) for job in jobs]
        return failures, sorted(rows for stage, rows in backbone.launches if stage == "decode")

    good, deadly, nobody = 1, backbone.deadly, type(None)
    assert ask(good, deadly) == ([WorkerFailed, WorkerFailed], [2])
    # Both are suspects: each goes alone, beside somebody new, and the innocent is cleared.
    assert ask(good, deadly, 3) == ([nobody, WorkerFailed, nobody], [1, 1, 1])
    assert ask(good, deadly, 3) == ([nobody, Quarantined, nobody], [2])
    assert worker.is_ready()


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


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_worker_that_cannot_be_replaced_keeps_nobody_waiting(
    start_worker, backbone, hold, decode_job, monkeypatch, how
):
    def fail():
        raise RuntimeError("can't start new thread")

    worker = start_worker(backbone)
    held = hold(worker, backbone)
    deadly = decode_job(red=backbone.deadly)
    worker.submit(deadly)
    waiting = decode_job()
    worker.submit(waiting)
    monkeypatch.setattr(worker, "start", fail)
    if how == "hangs":
        worker.replace(worker.running(), "it hangs")
    else:
        backbone.gate.set()
    for job in (deadly, waiting) if how == "dies" else (held, deadly, waiting):
        assert isinstance(job.reply.exception(WAIT_S), WorkerFailed)
    assert worker.is_lost
    assert not worker.is_ready()
    late = decode_job()
    worker.submit(late)
    assert isinstance(late.reply.exception(WAIT_S), WorkerFailed)
