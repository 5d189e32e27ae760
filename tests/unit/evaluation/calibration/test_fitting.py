"""Calibrations of masks whose truth is known by construction."""

from dataclasses import replace

import numpy as np
import pytest

from suresam.evaluation.calibration.fitting import (
    conformal_interval,
    fit_member,
    rising_curve,
)
from suresam.evaluation.calibration.judging import judge_member
from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.uncertainty.head_reading import NEXT_CLICK


def masks(seed: int, num_pictures: int = 400) -> ScoredMasks:
    """Ten masks a picture; the own head tells the IoU through a bend, other scores are noise."""
    rng = np.random.default_rng(seed)
    count = 10 * num_pictures
    own = rng.uniform(0, 1, count)
    spread = np.where(own > 0.5, 0.05, 0.2)
    iou = np.clip(own**2 + spread * rng.normal(size=count), 0, 1)
    gain = 0.3 * (1 - own) + 0.1 * rng.normal(size=count)
    return ScoredMasks(
        np.repeat(np.arange(num_pictures), 10),
        np.tile(np.arange(10) % 7, num_pictures),
        {
            "iou_own": own,
            "predicted_iou": rng.uniform(0, 1, count),
            "entropy": rng.uniform(0, 1, count),
            "task_gap": rng.normal(size=count),
            "task_gap_derived": 1 - own,
            "prompt_gap": 1 - own,
            "prompt_gap_derived": rng.normal(size=count),
        },
        iou,
        {
            "model_gap": np.full(count, np.nan),
            "task_gap": gain,
            "prompt_gap": gain,
            NEXT_CLICK: np.full(count, np.nan),
        },
    )


@pytest.fixture(scope="module")
def fitted():
    return fit_member("iou_own", masks(0))


def test_expectations_are_right_on_other_pictures(fitted):
    figures = judge_member(fitted, masks(1))
    assert figures["calibration_error"].value < 0.02
    assert figures["predicted_iou_error"].value > 0.2
    assert abs(figures["coverage"].value - 0.9) < 0.02
    assert figures["pearson"].value > 0.85
    assert figures["aurc_oracle"].value < figures["aurc"].value
    assert figures["coverage"].low < figures["coverage"].value < figures["coverage"].high


def test_intervals_are_wide_where_the_truth_scatters(fitted):
    low, high = fitted.other.interval.around(0.1)
    sure_low, sure_high = fitted.other.interval.around(0.9)
    assert high - low > 1.5 * (sure_high - sure_low)


def error_of(reading, gain):
    others = masks(1)
    return ((reading(others.scores) - others.gains[gain]) ** 2).mean()


def test_a_gain_is_told_as_well_as_its_best_head_does(fitted):
    # What cannot be known of it is noise of a tenth.
    assert error_of(fitted.other.gains["task_gap"], "task_gap") < 1.05 * 0.1**2
    assert error_of(fitted.other.gains["prompt_gap"], "prompt_gap") < 1.05 * 0.1**2
    assert "model_gap" not in fitted.other.gains  # there is nothing larger
    assert NEXT_CLICK not in fitted.other.gains


def test_a_gain_that_several_scores_tell_together_is_told_by_their_mix():
    whole = masks(0)
    rng = np.random.default_rng(5)
    gain = 0.3 * whole.scores["prompt_gap"] - 0.4 * whole.scores["predicted_iou"]
    gain += 0.02 * rng.normal(size=len(gain))
    whole.gains["prompt_gap"][:] = gain
    reading = fit_member("iou_own", whole).other.gains["prompt_gap"]
    assert {"prompt_gap", "predicted_iou"} <= set(reading.weights)
    told = reading(whole.scores)
    assert ((told - gain) ** 2).mean() < 0.1 * gain.var()


def test_scores_that_tell_nothing_promise_nothing():
    promised = []
    for seed in range(8):
        few = masks(seed, 12)
        rng = np.random.default_rng(seed)
        few.gains["task_gap"][:] = 0.3 * rng.normal(size=len(few.iou))
        reading = fit_member("iou_own", few).other.gains["task_gap"]
        told = reading(few.scores)
        promised.append(told[told >= np.quantile(told, 0.9)].mean())  # what advice would follow
    assert np.mean(promised) < 0.1  # a curve over the masks of its own mix says 0.17


def test_single_clicks_are_read_by_themselves():
    whole = masks(0)
    is_click = np.isin(whole.prompt, (0, 1))
    rng = np.random.default_rng(6)
    whole.iou[:] = np.where(is_click, 0.2, 0.8) + 0.01 * rng.normal(size=len(is_click))
    fitted = fit_member("iou_own", whole)
    scores = {name: float(values[0]) for name, values in whole.scores.items()}
    assert fitted.of("one_click").expected(scores) == pytest.approx(0.2, abs=0.02)
    for kind in ("clicks", "box", "box_and_clicks", "mask_input"):
        assert fitted.of(kind).expected(scores) == pytest.approx(0.8, abs=0.02)


def test_where_nobody_clicked_once_single_clicks_are_read_as_the_others_are():
    boxes = masks(0)
    boxes.prompt[:] = 4
    fitted = fit_member("iou_own", boxes)
    assert fitted.one_click == fitted.other


def test_one_seed_gives_one_calibration():
    assert fit_member("iou_own", masks(0), seed=3) == fit_member("iou_own", masks(0), seed=3)


def test_a_rising_curve_by_hand():
    # Two chunks that fall are pooled, and one point stands for both.
    curve = rising_curve(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.6, 0.4, 1.0]))
    assert curve.x == (1.0, 2.5, 4.0)
    assert curve.y == pytest.approx((0.0, 0.5, 1.0))


def test_equal_scores_are_one_point_of_the_curve():
    curve = rising_curve(np.array([1.0, 1.0, 2.0, 2.0]), np.array([0.0, 0.4, 0.5, 0.7]))
    assert curve.x == (1.0, 2.0)
    assert curve.y == pytest.approx((0.2, 0.6))
    assert rising_curve(np.zeros(5), np.arange(5.0)).y == pytest.approx((2.0,))


@pytest.mark.parametrize("count", [5, 150, 4000])
def test_a_conformal_interval_covers_at_least_its_level(count):
    covered = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        expected = rng.uniform(0, 1, (2, count))
        truth = np.clip(expected + 0.2 * rng.normal(size=(2, count)), 0, 1)
        interval = conformal_interval(expected[0], truth[0], 0.9)
        bounds = np.array([interval.around(e) for e in expected[1]])
        covered.append(((bounds[:, 0] <= truth[1]) & (truth[1] <= bounds[:, 1])).mean())
    assert np.mean(covered) > 0.89
    if count == 4000:
        assert np.mean(covered) < 0.93


def test_masks_of_some_pictures_keep_what_belongs_to_them():
    some = masks(0, 30).of_pictures(np.array([3, 7]))
    assert set(some.picture.tolist()) == {3, 7}
    lengths = {len(v) for v in (*some.scores.values(), some.iou, *some.gains.values())}
    assert lengths == {20}
    assert replace(some, iou=some.iou).picture is some.picture


def test_readings_of_many_masks_are_the_reading_of_each(fitted):
    some = masks(2, 3)
    each = [
        float(fitted.other.expected({name: values[i] for name, values in some.scores.items()}))
        for i in range(len(some.iou))
    ]
    assert fitted.other.expected(some.scores).tolist() == pytest.approx(each)
