import numpy as np
import pytest

from suresam.evaluation.agreement import expected_calibration_error
from suresam.evaluation.calibration.reliability import reliability_bins


def test_bins_by_hand():
    said = np.array([0.21, 0.29, 0.95, 1.0, 1.3, -0.1])
    iou = np.array([0.4, 0.6, 0.8, 0.9, 1.0, 0.0])
    low, middle, high = reliability_bins(said, iou, np.array([0, 1, 0, 1, 1, 0]))
    assert (low.start, low.end, low.said, low.iou.value) == pytest.approx((0, 0.1, -0.1, 0))
    assert np.isnan(low.iou.low)  # one picture has no interval
    assert (middle.start, middle.end) == pytest.approx((0.2, 0.3))
    assert (middle.said, middle.iou.value) == pytest.approx((0.25, 0.5))
    assert (middle.iou.low, middle.iou.high) == pytest.approx((0.4, 0.6))
    assert (high.said, high.iou.value) == pytest.approx((3.25 / 3, 0.9))
    assert [found.iou.num_targets for found in (low, middle, high)] == [1, 2, 3]
    assert high.iou.num_images == 2


def test_they_are_the_bins_of_the_calibration_error():
    rng = np.random.default_rng(0)
    said, iou = rng.random((2, 500))
    bins = reliability_bins(said, iou, np.arange(500) // 10)
    apart = sum(found.iou.num_targets * abs(found.said - found.iou.value) for found in bins)
    error = expected_calibration_error(said, iou, np.ones((1, 500)))[0]
    assert apart / 500 == pytest.approx(error)
