from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from suresam.engine.fair_queue import FairQueue


@dataclass(eq=False)
class Job:
    tenant: str = "t"
    deadline: float = 10.0
    turn: int = 0
    bucket: str = "b"
    stage: str = "decode"
    model: str = "m"


def queue_of(*jobs):
    queue = FairQueue()
    for job in jobs:
        queue.add(job)
    return queue


def drain(queue, bucket=None):
    jobs = []
    while (job := queue.pop(bucket)) is not None:
        jobs.append(job)
    return jobs


def test_nobody_waits_in_an_empty_queue():
    queue = queue_of()
    assert queue.first() is None
    assert queue.pop() is None
    assert len(queue) == 0
    assert queue.clear() == []


def test_looking_takes_nothing_out():
    job = Job()
    queue = queue_of(job)
    assert queue.first() is job
    assert queue.first("b") is job
    assert queue.first("other") is None
    assert job in queue
    assert queue.pop() is job
    assert job not in queue


def test_the_earliest_deadline_goes_first_and_among_equals_who_came_first():
    late, soon, also_soon = Job(deadline=9), Job(deadline=1), Job(deadline=1)
    assert drain(queue_of(late, soon, also_soon)) == [soon, also_soon, late]


def test_every_requests_first_prompt_goes_before_any_requests_second():
    hundred = [Job(turn=turn, deadline=1) for turn in range(3)]
    click = Job(deadline=9)
    assert drain(queue_of(*hundred, click)) == [hundred[0], click, *hundred[1:]]


def test_a_round_that_has_begun_takes_in_no_newcomers():
    hundred = [Job(turn=turn) for turn in range(4)]
    queue = queue_of(*hundred)
    assert queue.pop() is hundred[0]
    click = Job(deadline=1)
    queue.add(click)
    # It shares the second round with the second prompt, and its deadline is earlier.
    assert drain(queue) == [click, *hundred[1:]]


def test_a_stream_of_clicks_does_not_starve_the_tail_of_a_long_request():
    hundred = [Job(turn=turn) for turn in range(10)]
    queue = queue_of(*hundred)
    taken = []
    for _ in range(70):  # every round holds one of the ten and one click more than that before
        queue.add(Job(deadline=1))
        taken.append(queue.pop())
    assert set(hundred) <= set(taken)


def test_mates_are_those_of_a_bucket_in_their_order():
    a, b, c = Job(bucket="x", deadline=3), Job(bucket="y", deadline=1), Job(bucket="x", deadline=2)
    queue = queue_of(a, b, c)
    assert drain(queue, "x") == [c, a]
    assert drain(queue) == [b]


def test_tenants_take_turns_by_what_they_had_of_the_device():
    many = [Job("greedy", deadline=1) for _ in range(4)]
    few = [Job("modest", deadline=9) for _ in range(2)]
    queue = queue_of(*many, *few)
    order = []
    while (job := queue.pop()) is not None:
        queue.charge(job.tenant, 10.0)
        order.append(job.tenant)
    assert order == ["greedy", "modest", "greedy", "modest", "greedy", "greedy"]


def test_a_job_that_costs_twice_as_much_counts_twice():
    queue = queue_of(*[Job("large") for _ in range(3)], *[Job("small") for _ in range(6)])
    order = ""
    while (job := queue.pop()) is not None:
        queue.charge(job.tenant, 2.0 if job.tenant == "large" else 1.0)
        order += job.tenant[0]
    assert order[:6].count("s") == 4


def test_who_was_away_starts_level_and_has_saved_nothing_up():
    queue = queue_of(*[Job("busy") for _ in range(20)])
    for _ in range(10):
        queue.charge(queue.pop().tenant, 1.0)
    for _ in range(10):
        queue.add(Job("newcomer"))
    order = []
    for _ in range(8):
        job = queue.pop()
        queue.charge(job.tenant, 1.0)
        order.append(job.tenant)
    assert order.count("newcomer") in (4, 5)


def test_leaving_and_coming_back_at_once_does_not_forget_what_was_had():
    queue = queue_of(Job("quick"), *[Job("other") for _ in range(9)])
    order = []
    for _ in range(6):
        job = queue.pop()
        queue.charge(job.tenant, 1.0)
        order.append(job.tenant)
        if job.tenant == "quick":
            queue.add(Job("quick"))
    assert order.count("quick") == 3


def test_tenants_who_are_gone_are_forgotten():
    queue = queue_of()
    for i in range(1000):
        queue.add(Job(f"tenant-{i}"))
        queue.add(Job(f"tenant-{i + 1}"))
        for _ in range(2):
            queue.charge(queue.pop().tenant, 1.0)
    assert len(queue._lines) < 10


def test_a_job_is_removed_once():
    kept, gone = Job(), Job()
    queue = queue_of(kept, gone)
    assert queue.remove(gone)
    assert not queue.remove(gone)
    assert drain(queue) == [kept]
    assert not queue.remove(kept)


JOBS = st.builds(
    Job,
    st.sampled_from("xyz"),
    st.floats(0, 100),
    st.integers(0, 5),
    st.sampled_from("pq"),
)
STEPS = st.lists(
    st.one_of(
        JOBS.map(lambda job: ("add", job)),
        st.sampled_from([("pop", None), ("pop", "p"), ("pop", "q")]),
        st.integers(0, 1000).map(lambda which: ("remove", which)),
    ),
    max_size=80,
)


@settings(deadline=None, max_examples=300)
@given(STEPS)
def test_what_was_added_is_popped_or_removed_exactly_once(steps):
    queue, waiting = FairQueue(), []
    for step, value in steps:
        if step == "add":
            queue.add(value)
            waiting.append(value)
        elif step == "remove":
            if waiting:
                assert queue.remove(waiting.pop(value % len(waiting)))
        else:
            job = queue.pop(value)
            mates = [j for j in waiting if value in (None, j.bucket)]
            assert (job is None) == (not mates)
            if job is not None:
                waiting.remove(job)
                queue.charge(job.tenant, 1.0)
        assert len(queue) == len(waiting)
    assert set(drain(queue)) == set(waiting)


@settings(deadline=None, max_examples=200)
@given(st.lists(JOBS, min_size=1, max_size=40), st.lists(JOBS, min_size=80, max_size=80))
def test_nobody_starves_whatever_else_arrives(first, arrivals):
    """Every job of the start leaves although another one arrives before each that is taken."""
    queue = queue_of(*first)
    waiting = set(first)
    rounds = max(job.turn for job in first) + 1
    # In each round every tenant has at most what stood there at first and one newcomer a pop.
    limit = 2 * (len(first) + rounds) * 3 + 3
    for popped in range(limit):
        if not waiting:
            return
        queue.add(replace(arrivals[popped % len(arrivals)]))
        job = queue.pop()
        queue.charge(job.tenant, 1.0)
        waiting.discard(job)
    assert not waiting
