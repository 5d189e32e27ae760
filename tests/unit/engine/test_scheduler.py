from collections import Counter
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from suresam.domain import ImageSize, Prompt
from suresam.engine.job import DecodeJob, EncodeJob
from suresam.engine.scheduler import BatchLimits, Scheduler
from suresam.prediction import Wanted
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.prompts import prompt_row

PIXELS = np.zeros((2, 2, 3), np.uint8)
SIZE = ImageSize(2, 2)


@cache
def row_of(num_points, has_mask=False):
    backbone = FakeBackbone()
    [embedding] = backbone.encode([PIXELS])
    mask = np.zeros((16, 16), np.float32) if has_mask else None
    prompt = Prompt(points=[(1.0, 1.0)] * num_points, mask_input=mask)
    return prompt_row(prompt, SIZE, embedding, backbone)


def encode(model="a"):
    return EncodeJob(model, PIXELS)


def decode(model="a", num_points=1, has_mask=False):
    return DecodeJob(model, row_of(num_points, has_mask), Wanted(SIZE))


def scheduler_with(*jobs, **limits):
    scheduler = Scheduler(BatchLimits(**limits))
    for job in jobs:
        scheduler.add(job)
    return scheduler


def test_nobody_waiting_gives_an_empty_launch():
    scheduler = scheduler_with()
    assert scheduler.take() == []
    assert scheduler.take_all() == []
    assert scheduler.waiting() == {}


def test_one_job_is_taken_once():
    job = decode()
    scheduler = scheduler_with(job)
    assert scheduler.waiting() == {("decode", "a"): 1}
    assert scheduler.take() == [job]
    assert scheduler.take() == []


def test_a_full_batch_is_taken_at_once_and_one_more_waits():
    jobs = [decode() for _ in range(4)]
    scheduler = scheduler_with(*jobs, max_decode=3)
    assert scheduler.take() == jobs[:3]
    assert scheduler.take() == jobs[3:]


def test_uploads_have_a_bound_of_their_own():
    jobs = [encode() for _ in range(5)]
    scheduler = scheduler_with(*jobs, max_encode=4, max_decode=1)
    assert scheduler.take() == jobs[:4]


def test_clicks_go_before_uploads():
    upload, click = encode(), decode()
    scheduler = scheduler_with(upload, click)
    assert scheduler.take() == [click]
    assert scheduler.take() == [upload]


def test_a_batch_has_one_model_one_length_and_masks_or_none():
    jobs = [decode(), decode("b"), decode(num_points=2), decode(has_mask=True), decode()]
    scheduler = scheduler_with(*jobs)
    taken = [scheduler.take() for _ in range(4)]
    assert taken == [[jobs[0], jobs[4]], [jobs[1]], [jobs[2]], [jobs[3]]]


def test_an_upload_has_its_turn_after_decode_run_launches():
    upload = encode()
    scheduler = scheduler_with(upload, *[decode() for _ in range(5)], max_decode=1, decode_run=3)
    stages = [scheduler.take()[0].stage for _ in range(6)]
    assert stages == ["decode", "decode", "decode", "encode", "decode", "decode"]


def test_clicks_before_an_upload_came_do_not_count_against_them():
    scheduler = scheduler_with(*[decode() for _ in range(9)], max_decode=1, decode_run=3)
    for _ in range(5):
        scheduler.take()
    scheduler.add(encode())
    stages = [scheduler.take()[0].stage for _ in range(4)]
    assert stages == ["decode", "decode", "decode", "encode"]


def test_idle_turns_do_not_count_against_clicks():
    scheduler = scheduler_with(decode_run=3)
    for _ in range(10):
        assert scheduler.take() == []
    scheduler.add(encode())
    scheduler.add(decode())
    assert scheduler.take()[0].stage == "decode"


def test_cancelled_jobs_are_dropped():
    jobs = [decode() for _ in range(3)]
    scheduler = scheduler_with(*jobs)
    jobs[1].reply.cancel()
    assert scheduler.take() == [jobs[0], jobs[2]]


def test_clicks_that_are_all_cancelled_do_not_hide_an_upload():
    click, upload = decode(), encode()
    scheduler = scheduler_with(click, upload)
    click.reply.cancel()
    assert scheduler.take() == [upload]


def test_uploads_that_are_all_cancelled_do_not_hide_a_click_when_it_is_their_turn():
    upload, *clicks = encode(), decode(), decode()
    scheduler = scheduler_with(upload, *clicks, max_decode=1, decode_run=1)
    assert scheduler.take() == clicks[:1]
    upload.reply.cancel()
    assert scheduler.take() == clicks[1:]


def test_a_cancelled_oldest_job_does_not_choose_the_bucket():
    jobs = [decode(num_points=2), decode(), decode(num_points=2), decode()]
    scheduler = scheduler_with(*jobs)
    jobs[0].reply.cancel()
    assert scheduler.take() == [jobs[1], jobs[3]]


def test_take_all_empties_both_queues():
    click, upload = decode(), encode()
    scheduler = scheduler_with(upload, click)
    assert scheduler.take_all() == [click, upload]
    assert scheduler.take() == []


ADDED = st.one_of(
    st.builds(encode, st.sampled_from("ab")),
    st.builds(decode, st.sampled_from("ab"), st.integers(1, 2), st.booleans()),
)
STEPS = st.lists(
    st.one_of(
        ADDED.map(lambda job: ("add", job)),
        st.just(("take", None)),
        st.integers(0, 1000).map(lambda which: ("cancel", which)),
    ),
    max_size=60,
)
LIMITS = st.builds(BatchLimits, st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))


@settings(deadline=None, max_examples=300)
@given(STEPS, LIMITS)
def test_every_job_is_taken_once_or_cancelled_and_every_launch_keeps_the_rules(steps, limits):
    scheduler = Scheduler(limits)
    waiting, launches = [], []
    passed = 0

    def take():
        nonlocal passed
        batch = scheduler.take()
        live = [job for job in waiting if not job.reply.cancelled()]
        assert bool(batch) == bool(live)
        if not batch:
            passed = 0  # nobody waits, so nobody has been passed by
            return False
        assert len({job.bucket for job in batch}) == 1
        stage = batch[0].stage
        assert len(batch) <= (limits.max_encode if stage == "encode" else limits.max_decode)
        of_stage = [job for job in live if job.stage == stage]
        assert batch[0] is of_stage[0]
        mates = [job for job in of_stage if job.bucket == batch[0].bucket]
        assert batch == mates[: len(batch)]
        assert len(batch) == len(mates) or len(batch) in (limits.max_encode, limits.max_decode)
        has_encode = any(job.stage == "encode" for job in live)
        has_decode = any(job.stage == "decode" for job in live)
        if stage == "encode":
            assert not has_decode or passed == limits.decode_run
            passed = 0
        else:
            passed = passed + 1 if has_encode else 0
            assert passed <= limits.decode_run
        for job in batch:
            waiting.remove(job)
        launches.extend(batch)
        return True

    added = []
    for step, value in steps:
        if step == "add":
            scheduler.add(value)
            waiting.append(value)
            added.append(value)
        elif step == "cancel":
            if waiting:
                waiting[value % len(waiting)].reply.cancel()
        else:
            take()
    while take():
        pass
    assert max(Counter(map(id, launches)).values(), default=1) == 1
    for job in added:
        assert (job in launches) != job.reply.cancelled()
