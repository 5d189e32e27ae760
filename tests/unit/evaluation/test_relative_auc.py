import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suresam.evaluation.relative_auc import (
    relative_auc,
    supervision_curve,
    weighted_relative_auc,
)

GAIN = np.array([0.4, 0.0, 0.2, -0.2])


def test_the_curve_by_hand():
    curve = supervision_curve(GAIN, np.array([1.0, 4.0, 3.0, 2.0]))
    # Paid in the order 0.0, 0.2, -0.2, 0.4, over four cases.
    assert curve == pytest.approx([0, 0, 0.05, 0, 0.1])


def test_equal_scores_share_their_gain():
    curve = supervision_curve(GAIN, np.array([1.0, 0.0, 1.0, 0.0]))
    assert curve == pytest.approx([0, 0.075, 0.15, 0.125, 0.1])


def test_the_area_by_hand():
    # Areas: worst order 0.05 - 0.0875 / 1 ..., best 0.125, this one 0.025.
    score = np.array([1.0, 4.0, 3.0, 2.0])
    best = np.mean([0.05, 0.125, 0.15, 0.125])
    worst = np.mean([-0.025, -0.05, -0.025, 0.05])
    mine = np.mean([0.0, 0.025, 0.025, 0.05])
    assert relative_auc(GAIN, score) == pytest.approx((mine - worst) / (best - worst))


def test_no_order_is_half_and_the_best_is_one():
    assert relative_auc(GAIN, np.zeros(4)) == pytest.approx(0.5)
    assert relative_auc(GAIN, GAIN) == pytest.approx(1.0)
    assert relative_auc(GAIN, -GAIN) == pytest.approx(0.0)


def test_equal_gains_have_no_order():
    assert np.isnan(relative_auc(np.full(5, 0.25), np.arange(5.0)))


gains = st.lists(st.floats(-1, 1), min_size=2, max_size=30).map(np.array)


@given(gains, st.randoms(use_true_random=False))
def test_it_lies_between_0_and_1_and_turning_the_score_mirrors_it(gain, random):
    score = np.array([random.random() for _ in gain])
    value = relative_auc(gain, score)
    if np.ptp(gain) < 1e-6:
        return
    assert -1e-9 <= value <= 1 + 1e-9
    assert relative_auc(gain, -score) == pytest.approx(1 - value, abs=1e-6)


def test_a_resample_is_its_cases_as_often_as_it_holds_them():
    rng = np.random.default_rng(0)
    gain, score = rng.normal(size=12), rng.integers(0, 5, 12).astype(float)
    weights = rng.integers(0, 4, (6, 12)).astype(float)
    for row, value in zip(weights, weighted_relative_auc(gain, score, weights), strict=True):
        times = row.astype(int)
        assert value == pytest.approx(relative_auc(gain.repeat(times), score.repeat(times)))
