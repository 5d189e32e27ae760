"""Who is escalated in which order, worked out by hand."""

import numpy as np
import pytest

from suresam.evaluation.relative_auc import supervision_curve
from suresam.evaluation.route.ways import Way, by_decision, by_score, by_truth, chosen_member

NAMES, COSTS = ("small", "base", "large"), (1.0, 2.0, 4.0)  # asking base spends half of large
IOU = np.array([[0.5, 0.55, 0.7], [0.4, 0.8, 0.6]])
GAINS = {"base": np.array([0.10, 0.30]), "large": np.array([0.15, 0.20])}


def steps(way: Way) -> list[tuple[float, ...]]:
    columns = (way.case, way.level, way.cost, way.gain)
    return [tuple(map(float, row)) for row in zip(*columns, strict=True)]


def test_the_highest_scores_go_first_and_equal_ones_together():
    iou = np.array([[0.5, 0.9], [0.6, 0.5], [0.7, 0.7], [0.2, 0.4]])
    way = by_score(np.array([1.0, 3.0, 1.0, 2.0]), iou)
    spent, gained = way.curve(np.ones((1, 4)))
    assert spent[0] == pytest.approx([0, 0.25, 0.5, 1])
    assert gained[0] == pytest.approx([0, -0.025, 0.025, 0.125])


def test_a_resample_counts_every_request_as_often_as_it_holds_it():
    way = by_score(np.array([2.0, 1.0]), np.array([[0.0, 0.4], [0.0, 0.1]]))
    spent, gained = way.curve(np.array([[1.0, 3.0], [2.0, 0.0]]))
    assert spent == pytest.approx(np.array([[0, 0.25, 1], [0, 1, 1]]))
    assert gained == pytest.approx(np.array([[0, 0.1, 0.175], [0, 0.4, 0.4]]))


def test_of_two_members_the_policy_goes_by_the_expected_gain():
    rng = np.random.default_rng(0)
    iou, gain = rng.random((50, 2)), rng.normal(size=50).round(1)
    way = by_decision({"large": gain}, iou, ("small", "large"), (1.0, 5.0))
    spent, gained = way.curve(np.ones((1, 50)))
    wanted = supervision_curve(iou[:, 1] - iou[:, 0], gain)
    assert np.interp(np.linspace(0, 1, 51), spent[0], gained[0]) == pytest.approx(wanted)


def test_the_cheapest_of_three_members_wins_that_is_expected_to_be_good_enough():
    # The first request goes to large at 0.15; at 0.10 base is good enough, since large gains no
    # 0.10 on top of it; at 0.05 it is not any more. The second goes to base and stays there.
    assert steps(by_decision(GAINS, IOU, NAMES, COSTS)) == [
        pytest.approx((0, 0.15, 1.0, 0.2)),
        pytest.approx((0, 0.10, -0.5, -0.15)),
        pytest.approx((0, 0.05, 0.5, 0.15)),
        pytest.approx((1, 0.30, 0.5, 0.4)),
    ]


def test_a_way_may_spend_less_for_a_while():
    spent, gained = by_decision(GAINS, IOU, NAMES, COSTS).curve(np.ones((1, 2)))
    assert spent[0] == pytest.approx([0, 0.25, 0.75, 0.5, 0.75])
    assert gained[0] == pytest.approx([0, 0.2, 0.3, 0.225, 0.3])


def test_a_gain_that_is_no_number_is_escalated_before_all_others():
    gains = {"large": np.array([0.9, np.nan])}
    way = by_decision(gains, IOU[:, [0, 2]], ("small", "large"), (1.0, 4.0))
    assert way.level.tolist() == [0.9, np.inf]
    assert chosen_member({"large": np.nan}, 1.0) == "large"


def test_the_oracle_takes_the_edges_of_the_upper_hull_by_their_slopes():
    # Of the first request base lies under the line to large; of the second large loses again.
    assert steps(by_truth(IOU, COSTS)) == [
        pytest.approx((0, 0.2, 1.0, 0.2)),
        pytest.approx((1, 0.8, 0.5, 0.4)),
        pytest.approx((1, -0.4, 0.5, -0.2)),
    ]
