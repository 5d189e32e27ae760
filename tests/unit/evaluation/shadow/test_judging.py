import numpy as np
import pytest
from unit.evaluation.shadow.records import comparisons

from suresam.evaluation.shadow.judging import DIFFERENCE, REFITTED, SERVED, gain_bins, judge
from suresam.evaluation.shadow.samples import samples_of


def judged(count=400, **made):
    return judge(samples_of(comparisons(count, **made))["one_click"])


def test_gains_that_are_too_modest_are_mended_and_that_is_sure():
    found = judged(gain_of=lambda expected: expected + 0.05, noise=0.02)
    served, refitted = found.figures[SERVED], found.figures[REFITTED]
    assert served["mean_apart"].value == pytest.approx(-0.05, abs=0.005)
    assert refitted["mean_apart"].value == pytest.approx(0.0, abs=0.005)
    assert served["mean_error"].value == pytest.approx(0.05, abs=0.005)
    # Normal noise of 0.02 has a mean size of 0.016.
    assert refitted["mean_error"].value == pytest.approx(0.016, abs=0.003)
    assert refitted["rms_error"].value == pytest.approx(0.02, abs=0.003)
    assert found.figures[DIFFERENCE]["rms_error"].high < -0.02
    assert found.is_better


def test_gains_that_are_true_already_are_not_said_to_be_mended():
    found = judged(noise=0.1)
    assert not found.is_better
    assert found.figures[SERVED]["mean_apart"].value == pytest.approx(0.0, abs=0.02)


def test_it_is_judged_on_what_it_was_not_fitted_to():
    found = judged(count=201)
    assert len(found.expected[SERVED]) == len(found.expected[REFITTED]) == 100
    assert found.figures[SERVED]["pearson"].num_targets == 100


def test_bins_hold_equally_many_and_equal_expectations_stay_together():
    expected = np.repeat([0.0, 0.1], [60, 20])
    gain = np.repeat([0.01, 0.2], [60, 20])
    low, high = gain_bins(expected, gain)
    assert (low.expected, low.recorded.num_targets) == (0.0, 60)
    assert low.recorded.value == pytest.approx(0.01)
    assert (high.recorded.num_targets, high.recorded.value) == (20, pytest.approx(0.2))
    many = gain_bins(np.linspace(0, 1, 80), np.zeros(80))
    assert [found.recorded.num_targets for found in many] == [10] * 8
