import itertools

import numpy as np
import pytest

from suresam.benchmarks.serve.visits import Load, Visit, num_clicks, plan_visits

SECONDS = 3000.0


def planned(seconds: float = SECONDS, **load: float) -> list[Visit]:
    return plan_visits(Load(**{"rate": 6.0, **load}), seconds, np.random.default_rng(0))


def clicks_of(visits: list[Visit], kind: str) -> np.ndarray:
    return np.array([c.time_s for v in visits if v.kind == kind for c in v.clicks])


def test_annotators_click_at_the_rate_that_was_asked_for_from_beginning_to_end():
    times = clicks_of(planned(), "annotator")
    assert len(times) / SECONDS == pytest.approx(6.0, rel=0.05)
    for begin in (0, 1500, 2700):
        there = ((times >= begin) & (times < begin + 300)).sum()
        assert there / 300 == pytest.approx(6.0, rel=0.2)


def test_the_others_come_on_top():
    visits = planned(bulk=0.2, cancel=0.1, stall=0.1)
    assert len(clicks_of(visits, "annotator")) / SECONDS == pytest.approx(6.0, rel=0.1)
    coming = [v.kind for v in visits if not v.is_there]
    for kind, share in (("bulk", 0.2), ("canceller", 0.1), ("staller", 0.1), ("annotator", 0.6)):
        assert coming.count(kind) / len(coming) == pytest.approx(share, abs=0.03)


def test_clicks_are_geometric_and_pauses_log_normal():
    visits = planned(mean_clicks=6.0, think_s=2.0, rate=3.0)
    whole = [v for v in visits if not v.is_there and v.start_s < SECONDS - 200 and v.clicks]
    numbers = [len(v.clicks) for v in whole if v.kind == "annotator"]
    assert np.mean(numbers) == pytest.approx(6.0, rel=0.1)
    assert min(numbers) == 1
    pauses = [
        b.time_s - a.time_s
        for v in whole
        if v.kind != "bulk"
        for a, b in itertools.pairwise(v.clicks)
    ]
    assert np.median(pauses) == pytest.approx(2.0, rel=0.05)
    assert np.log(pauses).std() == pytest.approx(0.5, rel=0.05)


def test_visitors_do_what_their_kind_does():
    for visit in planned(seconds=200.0, bulk=0.2, cancel=0.2, stall=0.2):
        leaves = [click.hang_up_s for click in visit.clicks]
        if visit.is_there:
            assert visit.kind in ("annotator", "canceller")
            assert visit.clicks
        if visit.kind == "staller":
            assert not visit.clicks
        elif visit.kind == "canceller":
            assert all(0 <= leave <= 0.02 for leave in leaves)
        else:
            assert set(leaves) <= {None}
        if visit.kind != "bulk":
            assert all(0 <= click.time_s < 200 for click in visit.clicks)
        assert all(0.1 <= click.x < 0.9 and 0.1 <= click.y < 0.9 for click in visit.clicks)


def test_a_plan_is_fixed_by_its_seed():
    assert planned(50.0) == planned(50.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_short_phase_has_about_the_clicks_that_were_asked_for(seed: int):
    visits = plan_visits(Load(rate=10.0), 8.0, np.random.default_rng(seed))
    assert num_clicks(visits) == pytest.approx(80, rel=0.1)


def test_nothing_is_planned_at_rate_zero():
    assert plan_visits(Load(rate=0.0), 8.0, np.random.default_rng(0)) == []
