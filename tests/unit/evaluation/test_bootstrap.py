import numpy as np
import pytest

from suresam.evaluation.bootstrap import ImageBootstrap


def test_images_are_resampled_with_all_their_targets():
    # Two images, 0 and 1 throughout: a resample holds 0, 1 or 2 of the second, with chances 1/4,
    # 1/2 and 1/4, so its mean is 0, 0.5 or 1 and the interval is everything.
    estimate = ImageBootstrap([7, 7, 7, 7, 9, 9, 9, 9]).mean(np.repeat([0.0, 1.0], 4))
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)
    assert (estimate.num_targets, estimate.num_images) == (8, 2)


def test_an_interval_has_the_width_of_the_normal_law():
    values = np.random.default_rng(0).normal(size=400)
    estimate = ImageBootstrap(np.arange(400)).mean(values)
    expected = 1.96 * values.std() / 20
    assert estimate.high - estimate.value == pytest.approx(expected, rel=0.1)
    assert estimate.value - estimate.low == pytest.approx(expected, rel=0.1)


def test_targets_of_one_image_count_as_one_where_they_are_alike():
    values = np.random.default_rng(0).normal(size=40)
    apart = ImageBootstrap(np.arange(40), seed=3).mean(values)
    together = ImageBootstrap(np.repeat(np.arange(40), 10), seed=3).mean(np.repeat(values, 10))
    assert (together.low, together.high) == pytest.approx((apart.low, apart.high))


def test_a_mean_and_the_mean_as_a_statistic_have_one_interval():
    images = [0, 0, 1, 2, 2, 2, 3]
    values = np.array([0.1, 0.2, 0.9, np.nan, 0.4, 0.5, 0.3])
    bootstrap = ImageBootstrap(images, seed=1, num_resamples=300)
    mean = bootstrap.mean(values)
    statistic = bootstrap.statistic(
        lambda column, weights: (weights @ column) / weights.sum(axis=1), values
    )
    assert mean.num_targets == statistic.num_targets == 6
    for name in ("value", "low", "high"):
        assert getattr(statistic, name) == pytest.approx(getattr(mean, name))


def test_several_statistics_are_those_that_each_has_alone():
    images, values = [0, 0, 1, 2, 3], np.array([0.1, 0.2, 0.9, 0.4, 0.5])
    bootstrap = ImageBootstrap(images, seed=1, num_resamples=300)

    def mean(column, weights):
        return (weights @ column) / weights.sum(axis=1)

    together = bootstrap.statistics(
        lambda column, weights: np.stack([mean(column, weights), mean(column**2, weights)], 1),
        values,
    )
    assert together == [bootstrap.statistic(mean, values), bootstrap.statistic(mean, values**2)]


def test_the_seed_decides():
    images, values = np.arange(9), np.random.default_rng(0).random(9)
    estimates = [ImageBootstrap(images, seed).mean(values) for seed in (1, 1, 2)]
    assert estimates[0] == estimates[1]
    assert estimates[0] != estimates[2]


def test_one_image_has_no_interval_and_nothing_has_no_value():
    one = ImageBootstrap([5, 5]).mean(np.array([0.2, 0.4]))
    assert one.value == pytest.approx(0.3)
    assert np.isnan([one.low, one.high]).all()
    nothing = ImageBootstrap([5, 5]).mean(np.array([np.nan, np.nan]))
    assert np.isnan(nothing.value)
    assert (nothing.num_targets, nothing.num_images) == (0, 0)


def test_repeated_values_stay_with_their_image():
    twice = ImageBootstrap([0, 1]).repeated(2).mean(np.array([0.0, 1.0, 0.0, 1.0]))
    assert (twice.value, twice.num_targets, twice.num_images) == (0.5, 4, 2)
