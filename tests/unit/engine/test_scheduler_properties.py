"""What holds of every launch, whatever comes and goes."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling import NOW, Job, decode, encode, launch_ms, scheduler_with

from suresam.engine.backlog import Backlog
from suresam.engine.scheduler import BatchLimits, Scheduler

JOBS = st.builds(
    Job,
    st.sampled_from(["encode", "decode", "decode"]),
    st.sampled_from("ab"),
    st.integers(1, 2),
    st.sampled_from("xy"),
    st.one_of(st.just(math.inf), st.floats(NOW, NOW + 0.2)),
    st.integers(0, 3),
)


STEPS = st.lists(
    st.one_of(
        JOBS.map(lambda job: ("add", job)),
        JOBS.map(lambda job: ("add", job)),
        st.just(("take", None)),
        st.integers(0, 1000).map(lambda which: ("remove", which)),
    ),
    max_size=70,
)


LIMITS = st.builds(
    BatchLimits, st.integers(1, 3), st.integers(1, 4), st.floats(4, 9), st.floats(0.1, 0.6)
)


class Device:
    """Runs what a scheduler gives it on a virtual clock, and checks every launch."""

    def __init__(self, limits):
        self.limits = limits
        self.scheduler = Scheduler(limits, launch_ms)
        self.now = NOW
        self.waiting = []
        self.ended = Counter()
        self.encoded_ms = self.decoded_ms = 0.0

    def add(self, job):
        self.scheduler.add(job)
        self.waiting.append(job)

    def remove(self, which):
        if self.waiting:
            assert self.scheduler.remove(self.waiting.pop(which % len(self.waiting)))

    def launch(self):
        batch = self.scheduler.take(self.now)
        assert bool(batch) == bool(self.waiting)  # work-conserving
        if not batch:
            return False
        stage = batch[0].stage
        took_ms = launch_ms(stage, batch[0].model, len(batch))
        in_time = [j for j in self.waiting if self.now + launch_ms("", "", 1) / 1000 <= j.deadline]
        ends_at = self.now + took_ms / 1000
        # One bucket, within its limits.
        assert len({job.bucket for job in batch}) == 1
        assert len(batch) <= (
            self.limits.max_encode if stage == "encode" else self.limits.max_decode
        )
        assert stage == "decode" or len(batch) == 1 or took_ms <= self.limits.max_encode_ms
        # Who can be served in time goes first, and no mate makes him late.
        if in_time:
            assert set(batch) <= set(in_time)
            assert len(batch) == 1 or all(ends_at <= job.deadline for job in batch)
        # Decodes first, but an encode that could be in time is passed for its share only.
        encodes = [job for job in in_time if job.stage == "encode"]
        decodes = [job for job in in_time if job.stage == "decode"]
        share = self.limits.encode_share
        upload_ms, uploads_ms = (launch_ms("", "", n) for n in (1, self.limits.max_encode))
        due_ms = self.decoded_ms * share / (1 - share)
        if stage == "encode" and decodes:
            assert self.encoded_ms + upload_ms <= due_ms + uploads_ms + 1e-6
            self.encoded_ms += took_ms
        elif stage == "decode" and encodes:
            self.decoded_ms += took_ms
            assert due_ms <= self.encoded_ms + upload_ms + uploads_ms
        else:
            self.encoded_ms = self.decoded_ms = 0.0
        for job in batch:
            self.waiting.remove(job)
            self.ended[job] += 1
        self.now = ends_at
        return True


@settings(deadline=None, max_examples=300)
@given(STEPS, LIMITS)
def test_every_job_is_launched_once_or_removed_and_every_launch_keeps_the_rules(steps, limits):
    device = Device(limits)
    added, removed = 0, 0
    for step, value in steps:
        if step == "add":
            device.add(value)
            added += 1
        elif step == "remove":
            removed += bool(device.waiting)
            device.remove(value)
        else:
            device.launch()
        waiting = Counter((job.stage, job.model) for job in device.waiting)
        assert device.scheduler.waiting() == waiting
    while device.launch():
        pass
    assert set(device.ended.values()) <= {1}
    assert len(device.ended) == added - removed


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0.02, 0.5), min_size=1, max_size=12))
def test_what_is_feasible_in_order_of_deadlines_is_served_in_time(deadlines):
    """One tenant, single prompts, one in a launch: then the order is that of deadlines."""
    deadlines = sorted(deadlines)
    ends = [NOW + 0.005 * (i + 1) for i in range(len(deadlines))]
    feasible = [d for d, end in zip(deadlines, ends, strict=True) if end <= NOW + d]
    if len(feasible) < len(deadlines):
        return
    jobs = [decode(deadline=NOW + d) for d in deadlines]
    scheduler = scheduler_with(*reversed(jobs), max_decode=1)
    now, launched = NOW, []
    while batch := scheduler.take(now):
        now += 0.005
        launched += batch
        assert all(now <= job.deadline + 1e-9 for job in batch)
    assert sorted(launched, key=lambda job: job.deadline) == launched


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_flood_of_clicks_leaves_uploads_their_share_of_the_device(share):
    """Everybody always waits; 2,000 launches."""
    scheduler = scheduler_with(encode_share=share, max_encode_ms=6.5)
    spent, now = Counter(), NOW
    for _ in range(2000):
        while scheduler.waiting()["decode", "a"] < 20:
            scheduler.add(decode())
        while scheduler.waiting()["encode", "a"] < 5:
            scheduler.add(encode())
        batch = scheduler.take(now)
        took_ms = launch_ms(batch[0].stage, "a", len(batch))
        spent[batch[0].stage] += took_ms
        now += took_ms / 1000
    assert spent["encode"] / spent.total() == pytest.approx(share, abs=0.02)


IDLE_STEPS = st.lists(
    st.one_of(
        JOBS.map(lambda job: ("add", job)),
        st.builds(Job, st.just("encode"), is_background=st.just(True)).map(lambda j: ("add", j)),
        st.just(("take", None)),
        st.integers(0, 1000).map(lambda which: ("remove", which)),
        st.integers(0, 1000).map(lambda which: ("promote", which)),
    ),
    max_size=70,
)


@settings(deadline=None, max_examples=100)
@given(IDLE_STEPS, LIMITS)
def test_whoever_waits_is_served_as_if_there_were_no_background(steps, limits):
    """Launch by launch, beside a scheduler that never hears of it."""
    limits = replace(limits, idle_below_ms=15.0)
    scheduler, without = (Scheduler(limits, launch_ms) for _ in range(2))
    waiting, ended = [], Counter()
    now = NOW
    for step, value in [*steps, *[("take", None)] * 80]:
        if step == "add":
            scheduler.add(value)
            waiting.append(value)
            if not value.is_background:
                without.add(value)
        elif step == "take":
            batch, expected = scheduler.take(now), without.take(now)
            if expected:
                assert batch == expected
            elif background := [job for job in waiting if job.is_background]:
                assert batch == background[:1]  # nobody starves while the device is idle
            else:
                assert batch == []
            ended.update(batch)
            waiting = [job for job in waiting if job not in batch]
            now += launch_ms("", "", len(batch)) / 1000
        elif waiting and step == "remove":
            job = waiting.pop(value % len(waiting))
            assert scheduler.remove(job)
            without.remove(job)
            ended[job] += 1
        elif step == "promote" and (background := [j for j in waiting if j.is_background]):
            job = background[value % len(background)]
            scheduler.promote(job, now + 0.1)
            without.add(job)
        if given_up := scheduler.given_up():
            assert scheduler.work_ms(scheduler.waiting()) > limits.idle_below_ms
            assert given_up == [job for job in waiting if job.is_background]
            waiting = [job for job in waiting if not job.is_background]
            ended.update(given_up)
        assert scheduler.waiting() == without.waiting()
    assert waiting == []
    assert set(ended.values()) <= {1}
    assert len(ended) == sum(step == "add" for step, _ in steps)


@pytest.mark.parametrize("num_prompts", [1, 3, 8, 16])
def test_in_an_overload_who_was_let_in_is_in_time_whatever_comes_behind(num_prompts):
    """Three times what the device can do, let in by the backlog, for three seconds."""
    scheduler = scheduler_with()
    backlog = Backlog(scheduler.work_ms, encode_share=0.3)
    every_s = num_prompts * launch_ms("decode", "a", 16) / 16 / 1000 / 3
    deadline_s, left, num_good, num_late, now, next_at = 0.25, Counter(), 0, 0, NOW, NOW
    while now < NOW + 3:
        while next_at <= now:
            rows = {("decode", "a"): num_prompts}
            wait_ms = backlog.wait_ms("t", rows) + backlog.own_ms(rows)
            if wait_ms <= 0.8 * (next_at + deadline_s - now) * 1000:
                backlog.add("t", rows)
                for turn in range(num_prompts):
                    scheduler.add(decode(deadline=next_at + deadline_s, turn=turn))
            next_at += every_s
        batch = scheduler.take(now)
        now += launch_ms("decode", "a", len(batch)) / 1000 if batch else every_s
        for job in batch:
            backlog.remove("t", {("decode", "a"): 1})
            left[job.deadline] += 1
            if left[job.deadline] == num_prompts:
                is_good = now <= job.deadline
                num_good, num_late = num_good + is_good, num_late + (not is_good)
    assert num_late == 0
    assert num_good * num_prompts >= 0.9 * 3000 / (launch_ms("decode", "a", 16) / 16)
