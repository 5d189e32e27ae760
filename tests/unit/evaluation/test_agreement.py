import numpy as np
import pytest
from scipy import stats

from suresam.evaluation.agreement import (
    expected_calibration_error,
    pearson,
    reliability,
    spearman,
)


def once(values: np.ndarray) -> np.ndarray:
    return np.ones((1, len(values)))


def test_correlations_are_those_of_scipy():
    rng = np.random.default_rng(0)
    one = rng.random(50).round(1)  # with ties
    other = one + rng.random(50)
    assert pearson(one, other, once(one))[0] == pytest.approx(stats.pearsonr(one, other).statistic)
    ranked = stats.spearmanr(one, other).statistic
    assert spearman(one, other, once(one))[0] == pytest.approx(ranked)


def test_weights_stand_for_answers_that_come_several_times():
    rng = np.random.default_rng(1)
    one, other = rng.random((2, 30)).round(1)
    weights = rng.integers(0, 4, (5, 30))
    for statistic in (pearson, spearman, expected_calibration_error):
        together = statistic(one, other, weights.astype(float))
        for i, times in enumerate(weights):
            drawn, paired = np.repeat(one, times), np.repeat(other, times)
            assert together[i] == pytest.approx(statistic(drawn, paired, once(drawn))[0])


def test_what_never_changes_has_no_correlation():
    even, rising = np.full(5, 0.3), np.arange(5.0)
    assert np.isnan(pearson(even, rising, once(even))).all()
    assert np.isnan(spearman(rising, even, once(even))).all()
    only_the_first = np.array([[3.0, 0, 0, 0, 0]])
    assert np.isnan(pearson(rising, rising, only_the_first)).all()


def test_calibration_error_by_hand():
    # Bin 0.2 to 0.3: predicted 0.25 on average, true 0.5. Bin 0.9 to 1, where 1 belongs too:
    # predicted 0.975, true 0.875. So (2 x 0.25 + 2 x 0.1) / 4.
    predicted = np.array([0.21, 0.29, 0.95, 1.0])
    true = np.array([0.4, 0.6, 0.8, 0.95])
    assert expected_calibration_error(predicted, true, once(true))[0] == pytest.approx(0.175)
    [(low, below, two), (high, above, also_two)] = reliability(predicted, true)
    assert (low, below, high, above) == pytest.approx((0.25, 0.5, 0.975, 0.875))
    assert two == also_two == 2


def test_scores_that_hold_have_no_calibration_error():
    values = np.linspace(0, 1, 30)
    assert expected_calibration_error(values, values, once(values))[0] == 0
