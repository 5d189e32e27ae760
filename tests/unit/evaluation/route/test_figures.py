"""Figures of routing, worked out by hand, and that no policy passes the oracle."""

import numpy as np
import pytest

from suresam.errors import ConfigurationError
from suresam.evaluation.costs import Cost
from suresam.evaluation.relative_auc import relative_auc
from suresam.evaluation.route.cases import Cases
from suresam.evaluation.route.figures import MEASURES, first_at, judge_routes, routes_of
from suresam.evaluation.route.operating import operating_points, threshold_for
from suresam.evaluation.route.plot import draw_routes
from suresam.evaluation.route.run import curve_rows, judge_groups
from suresam.evaluation.route.table import break_even, drawn_before, format_routes

PAIR, PAIR_COSTS = ("small", "large"), (1.0, 4.0)
THREE = {
    "small": Cost(8.0, 2.0, 0.9, 0.1),
    "base": Cost(16.0, 4.0, 1.8, 0.2),
    "large": Cost(32.0, 8.0, 3.8, 0.2),
}


def cases_with(iou, gains, picture=(0, 0, 1, 1), prompt=(0, 1, 4, 4), **scores):
    return Cases(
        np.array(picture), np.array(prompt), np.array(iou),
        {name: np.array(gain) for name, gain in gains.items()},
        {name: np.array(score) for name, score in scores.items()},
    )  # fmt: skip


@pytest.fixture
def pair():
    """True gains 0.4, -0.1, 0 and 0.2, 0.125 on average; expected in the order 0, 3, 1, 2."""
    return cases_with(
        [[0.5, 0.9], [0.6, 0.5], [0.7, 0.7], [0.2, 0.4]],
        {"large": [0.3, 0.1, 0.05, 0.2]},
        sam_score=[-0.9, -0.1, -0.2, -0.8],
        entropy=[0.1, 0.4, 0.3, 0.2],
    )


@pytest.fixture
def three():
    """The two requests of `test_ways`, as clicks and again as boxes."""
    return cases_with(
        [[0.5, 0.55, 0.7], [0.4, 0.8, 0.6]] * 2,
        {"base": [0.10, 0.30] * 2, "large": [0.15, 0.20] * 2},
        prompt=(0, 1, 4, 4),
        sam_score=[-0.5, -0.6] * 2,
        entropy=[0.3, 0.2] * 2,
        direct_head=[0.0, 0.1] * 2,
    )


def values(cases, names=PAIR, costs=PAIR_COSTS):
    figures = judge_routes(routes_of(cases, names, costs))
    return {(f.policy, f.against, f.measure): f.estimate.value for f in figures}


def test_the_figures_are_those_that_a_hand_finds(pair):
    found = values(pair)
    # Gains after 0 to 4 requests: 0, 0.1, 0.15, 0.125, 0.125; the oracle's 0, 0.1, 0.15, 0.15,
    # 0.125. Areas 0.109375 and 0.115625, that of lots 0.0625.
    wanted = {
        "area": 0.046875 / 0.053125,
        "reach_90%": 0.3125,
        "realised_at_10%": 0.32,
        "realised_at_20%": 0.64,
        "realised_at_30%": 0.88,
        "realised_at_50%": 1.2,
        "iou_at_30%": 0.61,
        "iou_at_50%": 0.65,
    }
    for measure, value in wanted.items():
        assert found["expected_gain", None, measure] == pytest.approx(value)
    assert found["oracle", None, "area"] == pytest.approx(1)
    assert found["oracle", None, "realised_at_50%"] == pytest.approx(1.2)
    # Its order 1, 2, 3, 0 has gained -0.025 after two of four.
    assert found["sam_score", None, "realised_at_50%"] == pytest.approx(-0.2)
    assert found["expected_gain", "sam_score", "realised_at_50%"] == pytest.approx(1.4)
    assert found["expected_gain", "entropy", "iou_at_50%"] == pytest.approx(0.175)


def test_the_area_is_that_of_the_usam_tables_on_another_scale(pair):
    gain, found = pair.iou[:, 1] - pair.iou[:, 0], values(pair)
    for name, score in (*pair.scores.items(), ("expected_gain", pair.gains["large"])):
        assert found[name, None, "area"] == pytest.approx(2 * relative_auc(gain, score) - 1)


def test_where_nothing_is_gained_no_share_of_it_is_told(pair):
    worse = cases_with(pair.iou[:, ::-1], pair.gains)
    found = values(worse)
    assert np.isnan([found["expected_gain", None, m] for m in MEASURES if m.startswith("re")]).all()
    assert found["expected_gain", None, "iou_at_50%"] == pytest.approx(0.625 - 0.15)
    assert not np.isnan(found["expected_gain", None, "area"])


def test_intervals_are_by_picture_and_hold_the_value(pair):
    for figure in judge_routes(routes_of(pair, PAIR, PAIR_COSTS)):
        assert (figure.estimate.num_targets, figure.estimate.num_images) == (4, 2)
        if figure.measure == "iou_at_30%":
            assert figure.estimate.low <= figure.estimate.value <= figure.estimate.high


def test_members_that_cost_alike_are_refused(pair):
    with pytest.raises(ConfigurationError, match=r"order of their costs: small 4, large 4"):
        routes_of(pair, PAIR, (4.0, 4.0))


def test_a_line_is_read_where_it_first_reaches_a_level():
    x, y = np.array([[0, 0.25, 0.75, 0.5, 0.75]]), np.array([[0, 0.2, 0.3, 0.2, 0.4]])
    for level, wanted in ((0.0, 0.0), (0.25, 0.2), (0.5, 0.25), (0.75, 0.3), (1.0, 0.4)):
        assert first_at(x, y, np.array([level])) == pytest.approx([wanted])


def test_three_members_have_an_oracle_that_none_passes(three):
    found = values(three, tuple(THREE), (1.0, 2.0, 4.0))
    # Both gain 0.2 at 0.25 and 0.3 at 0.75; then the policy stays there, while the oracle's way
    # goes on to large for everybody, which gains 0.2.
    assert found["oracle", None, "area"] == pytest.approx(1)
    assert found["expected_gain", None, "realised_at_50%"] == pytest.approx(0.25 / 0.2)
    assert found["oracle", None, "realised_at_50%"] == pytest.approx(0.25 / 0.2)
    assert found["expected_gain", None, "reach_90%"] == pytest.approx(0.225)


def test_it_is_told_how_often_each_of_three_members_answers(three):
    routes = routes_of(three, tuple(THREE), (1.0, 2.0, 4.0))
    usual, *_ = operating_points(routes, tuple(THREE), (1.0, 2.0, 4.0), 0.10)
    assert usual.answered == {"small": 0, "base": 1, "large": 0}
    assert (usual.iou, usual.spent) == pytest.approx((0.675, 0.5))
    usual, *_ = operating_points(routes, tuple(THREE), (1.0, 2.0, 4.0), 0.05)
    assert usual.answered == {"small": 0, "base": 0.5, "large": 0.5}
    usual, *_ = operating_points(routes, tuple(THREE), (1.0, 2.0, 4.0), 0.25)
    assert usual.answered == {"small": 0.5, "base": 0.5, "large": 0}
    assert (usual.iou, usual.spent) == pytest.approx((0.65, 0.25))
    assert threshold_for(routes, 0.25) == pytest.approx(0.30)
    assert threshold_for(routes, 0.3) == pytest.approx(0.15)
    assert threshold_for(routes, 0.9) == pytest.approx(0.05)  # it never spends as much


def test_lots_that_are_drawn_before_anybody_is_asked_cost_less():
    # To escalate three of ten spends 1 + 0.3 x 4; for 2.2 large can answer 0.4 from the start.
    assert drawn_before(0.3, (1.0, 4.0)) == pytest.approx(0.4)
    assert drawn_before(0.9, (1.0, 4.0)) == 1
    assert break_even((1.0, 4.0)) == 0.75


@pytest.mark.filterwarnings("error")
def test_table_rows_and_plot_hold_every_group_policy_and_member(three):
    judged = judge_groups(three, THREE)
    assert list(judged) == ["points", "boxes", "points and boxes"]
    text = format_routes(judged, THREE)
    for words in ("SamScore", "oracle", "random", "always base", "min_gain", "x GFLOP"):
        assert words in text
    rows = curve_rows(judged, THREE)
    assert {row["policy"] for row in rows} == {
        "expected_gain", "sam_score", "entropy", "direct_head", "oracle", "random",
        "random_before",
    }  # fmt: skip
    last = next(r for r in rows if r["policy"] == "random" and r["spent"] == 1.0)
    assert (last["mean_gflops"], last["mean_ms"], last["realised"]) == (5.0, 50.0, 1.0)
    assert draw_routes(judged, (1.0, 2.0, 4.0), "three").startswith(b"\x89PNG")


def test_a_group_without_requests_is_left_out(three):
    clicks = three.of((0, 1))
    assert list(judge_groups(clicks, THREE)) == ["points"]
