import numpy as np
import pytest

from suresam.evaluation.calibration.risk_coverage import risk_coverage_area, risk_coverage_curve

SCORE, IOU = np.array([3.0, 1.0, 2.0]), np.array([0.9, 0.2, 0.5])


def area(score: np.ndarray, iou: np.ndarray, weights: np.ndarray | None = None) -> float:
    weights = np.ones((1, len(iou))) if weights is None else weights
    return float(risk_coverage_area(score, iou, weights)[0])


def test_the_curve_and_its_area_by_hand():
    # Kept best first: risks 0.1, then mean 0.3, then mean 1.4 / 3.
    coverage, risk = risk_coverage_curve(SCORE, IOU)
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk.tolist() == pytest.approx([0.1, 0.3, 1.4 / 3])
    assert area(SCORE, IOU) == pytest.approx(np.mean([0.1, 0.3, 1.4 / 3]))
    # The first one twice, the middle one not at all.
    assert area(SCORE, IOU, np.array([[2.0, 0.0, 1.0]])) == pytest.approx((2 * 0.1 + 0.7 / 3) / 3)


def test_equal_scores_take_the_mean_over_their_orders():
    score, iou = np.array([2.0, 1.0, 1.0, 0.0]), np.array([0.9, 0.1, 0.8, 0.3])
    orders = [[0, 1, 2, 3], [0, 2, 1, 3]]
    ranks = np.array([4.0, 3.0, 2.0, 1.0])
    expected = np.mean([area(ranks, iou[order]) for order in orders])
    assert area(score, iou) == pytest.approx(expected)
    # The same file in another order.
    assert area(score[[0, 2, 1, 3]], iou[[0, 2, 1, 3]]) == pytest.approx(expected)
    assert risk_coverage_curve(np.zeros(4), iou)[1].tolist() == pytest.approx([0.475] * 4)


def test_weights_stand_for_masks_that_come_several_times():
    rng = np.random.default_rng(0)
    score, iou = rng.random(30).round(1), rng.random(30)  # with ties
    weights = rng.integers(0, 4, (5, 30))
    together = risk_coverage_area(score, iou, weights.astype(float))
    # A mask that is held three times is kept three times at once: compare where no copy counts.
    for i, times in enumerate(np.minimum(weights, 1)):
        assert area(score[times > 0], iou[times > 0]) == pytest.approx(
            area(score, iou, times[None].astype(float))
        )
        assert 0 <= together[i] <= 1


def test_the_oracle_is_never_beaten():
    rng = np.random.default_rng(1)
    iou = rng.random(200)
    best, worst = area(iou, iou), area(-iou, iou)
    assert best < area(rng.random(200), iou) < worst
    assert best == pytest.approx(area(iou**3, iou))  # only the order counts


def test_a_long_curve_is_thinned_and_keeps_its_end():
    iou = np.random.default_rng(2).random(1001)
    coverage, risk = risk_coverage_curve(iou, iou, most=50)
    assert len(coverage) == len(risk) == 50
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(1 - iou.mean())
    assert (np.diff(risk) >= 0).all()
