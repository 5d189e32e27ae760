"""Figures of calibrations whose honesty is known by construction."""

import numpy as np
import pytest
from made_masks import made_masks, taken_as_said

from suresam.evaluation.calibration.fitting import fit_member
from suresam.evaluation.calibration.judging import (
    DIFFERING,
    PREDICTED_AURC,
    WORDS,
    judge_calibrated,
    judge_difference,
    judge_member,
)
from suresam.evaluation.calibration.masks import ScoredMasks
from suresam.evaluation.calibration.statements import statements_of


def honest(seed: int, half_width: float = 0.1, count: int = 1400) -> ScoredMasks:
    """What is said is right on average, and misses by up to the half width, evenly."""
    rng = np.random.default_rng(seed)
    said = rng.uniform(0.2, 0.8, count)
    return made_masks(said, said + rng.uniform(-half_width, half_width, count))


def shifted(seed: int) -> ScoredMasks:
    """The same head, on pictures where it promises too much."""
    masks = honest(seed)
    return made_masks(masks.scores["iou_own"], masks.iou - 0.2)


def test_an_honest_calibration_has_no_error_and_covers_as_much_as_it_says():
    # Masks miss by up to 0.1, evenly, so 90 % of them lie within 0.09.
    figures = judge_member(taken_as_said(0.09), honest(0))
    assert figures["calibration_error"].value < 0.005
    assert figures["coverage"].value == pytest.approx(0.9, abs=0.02)
    assert figures["coverage"].low < 0.9 < figures["coverage"].high
    assert figures["width"].value == pytest.approx(0.18)
    assert figures["predicted_iou_error"].value > 0.15  # the root of what is right
    assert list(figures) == list(WORDS)


def test_an_order_by_a_root_is_the_same_order():
    figures = judge_member(taken_as_said(), honest(0))
    assert figures[PREDICTED_AURC].value == pytest.approx(figures["aurc"].value)
    assert figures["aurc_oracle"].value < figures["aurc"].value


def test_a_refit_on_shifted_pictures_mends_what_the_served_one_says():
    served, refitted = fit_member("iou_own", honest(0)), fit_member("iou_own", shifted(1))
    there = shifted(2)
    before, after = judge_calibrated(served, there), judge_calibrated(refitted, there)
    assert before["calibration_error"].value == pytest.approx(0.2, abs=0.02)
    assert before["coverage"].value < 0.1
    assert after["calibration_error"].value < 0.02
    assert after["coverage"].value == pytest.approx(0.9, abs=0.03)
    change = judge_difference(served, refitted, there)
    assert list(change) == list(DIFFERING)
    for measure in DIFFERING:
        apart = after[measure].value - before[measure].value
        assert change[measure].value == pytest.approx(apart)
        assert change[measure].low <= change[measure].value <= change[measure].high
    assert change["calibration_error"].high < -0.15
    assert change["coverage"].low > 0.7


def test_resampling_together_tells_what_resampling_apart_would_hide():
    # Some pictures are hard for everybody: either width varies much from picture to picture, but
    # one is always a little wider than the other.
    rng = np.random.default_rng(3)
    said = np.repeat(rng.uniform(0, 1, 60), 5)
    masks = made_masks(said, said, per_picture=5)
    narrow, wide = taken_as_said(0.30), taken_as_said(0.31)
    change = judge_difference(narrow, wide, masks)["width"]
    apart = [judge_calibrated(one, masks)["width"] for one in (narrow, wide)]
    assert apart[0].high > apart[1].low
    assert change.low > 0
    widths = [statements_of(one, masks).width.mean() for one in (narrow, wide)]
    assert change.value == pytest.approx(widths[1] - widths[0])


def test_a_calibration_does_not_differ_from_itself():
    change = judge_difference(taken_as_said(), taken_as_said(), honest(0, count=200))
    assert {(e.value, e.low, e.high) for e in change.values()} == {(0, 0, 0)}


def test_masks_of_a_kind_of_prompt_keep_what_belongs_to_them():
    masks = honest(0, count=70)
    some = masks.of_prompt(3)
    assert some.iou.tolist() == masks.iou[3::7].tolist()
    assert some.picture.tolist() == masks.picture[3::7].tolist()
    assert some.scores["iou_own"].tolist() == masks.scores["iou_own"][3::7].tolist()
    assert set(some.prompt.tolist()) == {3}
