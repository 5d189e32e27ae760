import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suresam.domain import RouteRequest
from suresam.routing.budget import Budget, BudgetTerms
from suresam.routing.decision_log import Decided, Spent, Started
from suresam.routing.judge import Judge, replay
from suresam.routing.policy import Bounds, Decision, Evidence

MEMBERS = ("tiny", "base", "huge")
COSTS = {"tiny": 10.0, "base": 40.0, "huge": 90.0}


def evidence(spent_ms=10.0, remaining_ms=10_000.0, **gains):
    return Evidence(gains, COSTS, spent_ms, remaining_ms)


def judged(claims, terms, bounds=None, caps=(None,)):
    """A log of all that a judge says to (evidence, route, what a larger member takes)."""
    log = []
    judge = Judge(MEMBERS, bounds or Bounds(), terms, log.append)
    for (known, route, takes_ms), cap in zip(claims, itertools.cycle(caps)):
        decided = judge.judge(known, route, cap)
        if decided.decision.model is not None:
            judge.settle(decided, takes_ms)
    return log


GAINS = st.one_of(st.floats(-0.2, 0.6), st.just(math.nan))
CLAIMS = st.lists(
    st.tuples(
        st.builds(
            Evidence,
            st.dictionaries(st.sampled_from(MEMBERS[1:]), GAINS),
            st.just(COSTS),
            st.floats(0, 50),
            st.floats(0, 1000),
            st.floats(0, 800),
            st.sampled_from([None, True, False]),
        ),
        st.builds(RouteRequest, st.just("auto"), st.floats(0, 0.2), st.sampled_from([None, 60.0])),
        st.floats(0, 200),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=40)
@given(CLAIMS, st.floats(0, 1), st.sampled_from(["requests", "device_time"]), st.floats(0, 1))
def test_a_replayed_log_gives_the_decisions_that_it_holds(claims, share, unit, capped):
    log = judged(claims, BudgetTerms(share, unit), caps=(None, Budget(BudgetTerms(capped))))
    pairs = list(replay(log))
    assert len(pairs) == len(claims)
    assert all(logged == again for logged, again in pairs)


def test_a_log_that_was_tampered_with_does_not_replay():
    log = judged([(evidence(huge=0.2), RouteRequest(), 90.0)] * 100, BudgetTerms(0.2))
    place = next(i for i, event in enumerate(log) if isinstance(event, Decided) and i > 50)
    log[place] = replace(log[place], evidence=evidence(huge=0.0))
    assert [logged.number for logged, again in replay(log) if logged != again]


def test_a_log_of_several_starts_begins_each_with_an_empty_budget():
    once = judged([(evidence(huge=0.2), RouteRequest(), 90.0)] * 30, BudgetTerms(0.1))
    assert all(logged == again for logged, again in replay(once + once))


def test_a_log_that_begins_in_the_middle_is_refused():
    started, decided, *_ = judged([(evidence(huge=0.2), RouteRequest(), 90.0)], BudgetTerms())
    with pytest.raises(ValueError, match="begins with an event 'decided'"):
        list(replay([decided]))
    with pytest.raises(ValueError, match="decision 7 has spent something"):
        list(replay([started, Spent(7, 1.0)]))


def test_what_the_budget_refused_is_told_beside_what_was_wanted():
    _, *decisions = judged([(evidence(huge=0.2), RouteRequest(), 90.0)], BudgetTerms(0.0))
    [refused] = decisions
    assert refused.wanted == "huge"
    assert refused.decision == Decision(None, "budget", 0.2)


def test_nobody_hears_of_a_start_who_does_not_watch():
    log = []
    Judge(MEMBERS, Bounds(), BudgetTerms(0.3), log.append)
    assert log == [Started(MEMBERS, Bounds(), BudgetTerms(0.3))]
    assert Judge(MEMBERS, Bounds(), BudgetTerms()).judge(evidence(), RouteRequest()).number == 0


def test_a_cap_holds_one_tenant_to_its_share_and_nobody_else():
    claims = [(evidence(huge=0.2), RouteRequest(), 90.0)] * 1000
    cap = Budget(BudgetTerms(0.1))
    decided = [e for e in judged(claims, BudgetTerms(), caps=(cap, None)) if isinstance(e, Decided)]
    capped, free = decided[::2], decided[1::2]
    assert {one.decision.reason for one in free} == {"expected_gain"}
    assert {one.decision.reason for one in capped} == {"expected_gain", "key_budget"}
    asked = sum(one.decision.model is not None for one in capped)
    assert 0.08 * len(capped) <= asked <= 0.12 * len(capped)


def test_what_the_common_budget_refuses_is_not_taken_from_a_cap():
    cap = Budget(BudgetTerms(0.5))
    claims = [(evidence(huge=0.2), RouteRequest(), 90.0)] * 100
    log = judged(claims, BudgetTerms(0.0), caps=(cap,))
    assert {e.decision.reason for e in log if isinstance(e, Decided)} == {"budget"}
