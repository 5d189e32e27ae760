import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suresam.domain import RouteRequest
from suresam.routing.policy import (
    HYSTERESIS,
    REASONS,
    Bounds,
    Decision,
    Evidence,
    decide,
)

AUTO = RouteRequest(min_gain=0.05)
BOUNDS = Bounds(max_backlog_ms=500, deadline_factor=1.5)
TWO = Evidence({"large": 0.1}, {"large": 100.0}, spent_ms=20, remaining_ms=10_000)
THREE = Evidence(
    {"base": 0.08, "large": 0.10},
    {"base": 40.0, "large": 100.0},
    spent_ms=20,
    remaining_ms=10_000,
)


def test_a_gain_that_is_enough_escalates():
    assert decide(TWO, AUTO, BOUNDS) == Decision("large", "expected_gain", 0.1)


@pytest.mark.parametrize(
    ("change", "route", "reason"),
    [
        ({"gains": {}}, {}, "no_gain_estimate"),
        ({"gains": {"large": 0.049}}, {}, "gain_below_threshold"),
        ({"gains": {"large": -0.3}}, {"min_gain": 0.0}, "gain_below_threshold"),
        ({}, {"max_cost": 119.0}, "max_cost"),
        ({"remaining_ms": 149.0}, {}, "deadline"),
        ({"backlog_ms": 501.0}, {}, "overload"),
        ({"backlog_ms": 400.0, "remaining_ms": 700.0}, {}, "deadline"),
    ],
)
def test_what_keeps_an_answer_with_the_smaller_member(change, route, reason):
    decision = decide(replace(TWO, **change), replace(AUTO, **route), BOUNDS)
    assert (decision.model, decision.reason) == (None, reason)


@pytest.mark.parametrize(
    ("change", "route"),
    [
        ({"gains": {"large": 0.05}}, {}),
        ({}, {"max_cost": 120.0}),
        ({"remaining_ms": 150.0}, {}),
        ({"backlog_ms": 500.0}, {}),
        ({"costs_ms": {"large": None}}, {"max_cost": 20.0}),
    ],
)
def test_exactly_at_a_bound_it_escalates(change, route):
    assert decide(replace(TWO, **change), replace(AUTO, **route), BOUNDS).model == "large"


@pytest.mark.parametrize("route", [{}, {"min_gain": 1.0}])
def test_a_gain_that_is_no_number_escalates(route):
    decision = decide(replace(TWO, gains={"large": math.nan}), replace(AUTO, **route), BOUNDS)
    assert decision == Decision("large", "not_finite", None)


def test_a_gain_that_is_no_number_does_not_break_a_deadline():
    evidence = replace(TWO, gains={"large": math.nan}, remaining_ms=50)
    assert decide(evidence, AUTO, BOUNDS) == Decision(None, "deadline", None)


@pytest.mark.parametrize(
    ("before", "gain", "escalates"),
    [
        (True, 0.05 - HYSTERESIS, True),
        (True, 0.05 - 1.01 * HYSTERESIS, False),
        (False, 0.05 + HYSTERESIS, True),
        (False, 0.05 + 0.99 * HYSTERESIS, False),
    ],
)
def test_noise_does_not_change_what_was_decided_before(before, gain, escalates):
    evidence = replace(TWO, gains={"large": gain}, escalated_before=before)
    assert (decide(evidence, AUTO, BOUNDS).model == "large") is escalates


def test_of_three_the_cheapest_that_is_good_enough_answers():
    assert decide(THREE, AUTO, BOUNDS) == Decision("base", "expected_gain", 0.08)


def test_of_three_the_large_one_answers_where_the_middle_one_is_not_enough():
    evidence = replace(THREE, gains={"base": 0.06, "large": 0.2})
    assert decide(evidence, AUTO, BOUNDS) == Decision("large", "expected_gain", 0.2)


def test_of_three_the_middle_one_answers_where_the_large_one_is_too_dear():
    evidence = replace(THREE, gains={"base": 0.06, "large": 0.2})
    decision = decide(evidence, replace(AUTO, max_cost=60.0), BOUNDS)
    assert decision == Decision("base", "expected_gain", 0.06)


numbers = st.floats(-1, 1) | st.just(math.nan)


@given(
    st.dictionaries(st.sampled_from(["base", "large"]), numbers),
    st.floats(0, 500),
    st.floats(0, 2000),
    st.floats(0, 1000),
    st.floats(-1, 1),
    st.none() | st.floats(0, 500),
)
def test_every_decision_says_what_it_did_and_keeps_the_bounds(
    gains, cost_ms, remaining_ms, backlog_ms, min_gain, max_cost
):
    evidence = Evidence(
        gains, dict.fromkeys(gains, cost_ms), 10.0, remaining_ms, backlog_ms=backlog_ms
    )
    decision = decide(evidence, RouteRequest(min_gain=min_gain, max_cost=max_cost), BOUNDS)
    assert decision.reason in REASONS
    assert (decision.model is None) == (decision.reason not in ("expected_gain", "not_finite"))
    if decision.model is not None:
        assert decision.model in gains
        assert max_cost is None or 10.0 + cost_ms <= max_cost
        assert (cost_ms + backlog_ms) * 1.5 <= remaining_ms
        assert backlog_ms <= 500
        gain = gains[decision.model]
        assert math.isnan(gain) or gain >= min_gain or any(map(math.isnan, gains.values()))
