import pytest

from suresam.domain import HeadScores, Point
from suresam.uncertainty.advice import ACTIONS, WORTHWHILE, advise, likeliest_mask
from suresam.uncertainty.next_click import NextClick

CLICK = NextClick(Point(12.5, 30.0), 0)


def scores(expected=0.7, model=None, task=None, click=None):
    return HeadScores({}, model, None, task, in_regime=True, expected_iou=expected,
                      next_click_gain=click)  # fmt: skip


def action(mask, has_choice=True, found=CLICK):
    return advise([mask, scores()] if has_choice else [mask], 0, lambda: found).action


@pytest.mark.parametrize(
    ("gains", "wanted"),
    [
        ({"task": 0.2, "model": 0.1, "click": 0.1}, "choose_mask"),
        ({"task": 0.1, "model": 0.2, "click": 0.1}, "use_large"),
        ({"task": 0.1, "model": 0.1, "click": 0.2}, "add_point"),
        ({"task": -0.1, "model": 0.01, "click": None}, "accept"),
        ({"model": None, "task": None, "click": None}, "accept"),
    ],
)
def test_the_greatest_expected_gain_is_advised(gains, wanted):
    assert action(scores(**gains)) == wanted
    assert wanted in ACTIONS


def test_gains_below_the_worthwhile_are_not():
    assert action(scores(model=WORTHWHILE - 0.001)) == "accept"
    assert action(scores(model=WORTHWHILE)) == "use_large"


def test_a_poor_mask_that_nothing_improves_is_for_review():
    assert action(scores(expected=0.49)) == "review"
    assert action(scores(expected=0.5)) == "accept"
    assert action(scores(expected=0.1, model=0.3)) == "use_large"


def test_one_mask_leaves_nothing_to_choose():
    assert action(scores(task=0.3, model=0.1), has_choice=False) == "use_large"


def test_a_choice_comes_with_what_is_expected_of_each_mask():
    masks = [scores(0.31), scores(0.42, task=0.2), scores(0.63)]
    advice = advise(masks, 1, lambda: None)
    assert advice.action == "choose_mask"
    assert "0.20" in advice.reason
    assert advice.reason.endswith("without looking, masks[2] is the likeliest")
    assert likeliest_mask(masks) == 2
    masks[1] = scores(0.7, task=0.2)
    assert "this one (masks[1]) is the likeliest" in advise(masks, 1, lambda: None).reason


def test_a_single_mask_is_accepted_without_a_word_on_others():
    assert "neither a click nor a larger model" in advise([scores(task=0.3)], 0, refuse).reason
    assert "nothing is expected" in advise([scores(), scores()], 0, refuse).reason


def refuse():
    raise AssertionError("nobody should look for a click")


def test_a_click_has_its_place_and_label():
    advice = advise([scores(click=0.3)], 0, lambda: CLICK)
    assert (advice.point, advice.label) == (Point(12.5, 30.0), 0)
    assert "0.30" in advice.reason
    assert "(12, 30)" in advice.reason


def test_without_a_place_to_click_the_next_best_is_advised():
    assert action(scores(click=0.3, model=0.1), found=None) == "use_large"
    assert action(scores(click=0.3), found=None) == "accept"


def test_places_are_looked_for_only_where_a_click_is_advised():
    def refuse():
        raise AssertionError("nobody asked for a click")

    assert advise([scores(model=0.3, click=0.1)], 0, refuse) is not None


def test_no_advice_without_a_calibration():
    raw = HeadScores({}, 0.3, 0.3, 0.3, in_regime=True)
    assert advise([raw], 0, lambda: CLICK) is None
