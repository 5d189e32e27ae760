import numpy as np
import pytest

from suresam.evaluation.advice.cases import Cases
from suresam.evaluation.advice.figures import format_advice, judge_advice
from suresam.evaluation.advice.plot import draw_advice


@pytest.fixture
def cases():
    """Four answers on two pictures, worked out by hand."""
    nan = np.nan
    return Cases(
        picture=np.array([0, 0, 1, 1]),
        prompt=np.array([0, 0, 0, 4]),
        iou=np.array([0.5, 0.6, 0.9, 0.2]),
        action=np.array(["choose_mask", "add_point", "accept", "review"]),
        expected_gain=np.array([0.3, 0.2, 0.0, 0.0]),
        gains={
            "accept": np.zeros(4),
            "review": np.zeros(4),
            "choose_mask": np.array([0.2, 0.0, 0.05, nan]),
            "add_point": np.array([0.1, 0.3, -0.1, nan]),
            "use_large": np.array([0.4, -0.2, 0.0, 0.1]),
        },
        likeliest=np.array([0.7, 0.6, 0.8, 0.2]),
        random_click=np.array([0.0, 0.1, -0.2, nan]),
        ideal_click=np.array([0.4, 0.4, 0.0, 0.5]),
    )


def test_figures_are_the_means_that_a_hand_finds(cases):
    found = judge_advice(cases)
    assert found.clicks["advised"].value == pytest.approx(0.1)
    assert found.clicks["random"].value == pytest.approx(-0.1 / 3)
    assert found.clicks["ideal"].value == pytest.approx(0.8 / 3)
    assert found.clicks["advised_less_random"].value == pytest.approx((0.1 + 0.2 + 0.1) / 3)
    assert found.asked["advised"].value == pytest.approx(0.3)
    assert found.actions["choose_mask"].realised.value == pytest.approx(0.2)
    assert found.actions["choose_mask"].expected.value == pytest.approx(0.3)
    assert found.actions["accept"].share.value == pytest.approx(0.25)
    assert found.actions["review"].iou.value == pytest.approx(0.2)
    assert "use_large" not in found.actions
    policies = {name: e.value for name, e in found.policies.items()}
    assert policies["as_answered"] == pytest.approx(0.55)
    assert policies["likeliest"] == pytest.approx(0.575)
    assert policies["following"] == pytest.approx(0.55 + 0.5 / 4)
    assert policies["choose_mask"] == pytest.approx(0.55 + 0.25 / 4)
    assert policies["add_point"] == pytest.approx(0.55 + 0.3 / 4)
    assert policies["use_large"] == pytest.approx(0.55 + 0.3 / 4)
    assert policies["ideal"] == pytest.approx(0.55 + (0.4 + 0.3 + 0.05 + 0.1) / 4)


def test_the_table_names_every_action_and_policy(cases):
    text = format_advice("small", judge_advice(cases))
    for words in ("following the advice", "choose_mask", "review", "bound", "+0.300"):
        assert words in text


def test_the_largest_member_has_no_larger_one(cases):
    cases.gains["use_large"][:] = np.nan
    found = judge_advice(cases)
    assert "use_large" not in found.policies
    assert draw_advice({"large": found}, "advice").startswith(b"\x89PNG")


def test_equal_gains_and_a_single_picture_can_be_drawn(cases):
    rng = np.random.default_rng(0)
    for gain in rng.uniform(0, 1, 4):
        cases.expected_gain[:] = gain
        assert draw_advice({"small": judge_advice(cases)}, "advice")
    cases.picture[:] = 0
    assert draw_advice({"small": judge_advice(cases)}, "advice")
