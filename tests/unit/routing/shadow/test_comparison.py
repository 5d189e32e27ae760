from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.routing.shadow.answers import large, small

from suresam.domain import Prompt
from suresam.routing.matching import mask_iou
from suresam.routing.shadow.comparison import bounded_gain, compare

CLICK = Prompt(points=[(1, 1)], prompt_id="a")


def test_both_answers_stand_side_by_side():
    told = compare(CLICK, small(gain=0.05), large(expected_iou=0.6), "huge", (10.0, 90.0))
    assert (told.prompt, told.multimask, told.in_regime) == ("one_click", True, True)
    assert told.expected_gain == 0.05
    assert (told.small_expected_iou, told.large_expected_iou) == (0.5, 0.6)
    assert told.iou == 0.5  # the left half, and everything
    assert told.matched_iou == 1.0  # the left half is the large member's third mask
    assert told.gain == pytest.approx(0.1)
    assert (told.small_ms, told.large_ms) == (10.0, 90.0)


def test_masks_that_are_alike_cannot_differ_by_more_than_their_iou_allows():
    assert bounded_gain(0.2, 0.9, iou=1.0) == 0.0
    assert bounded_gain(0.2, 0.9, iou=0.7) == pytest.approx(0.3)
    assert bounded_gain(0.9, 0.2, iou=0.7) == pytest.approx(-0.3)
    assert bounded_gain(0.2, 0.9, iou=0.0) == pytest.approx(0.7)


MASKS = st.integers(0, 2**16 - 1).map(
    lambda bits: np.frombuffer(bits.to_bytes(2, "big"), dtype=np.uint8)
)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(MASKS, MASKS, MASKS, st.floats(0, 1), st.floats(0, 1))
def test_the_bound_holds_for_any_truth_and_brings_any_estimate_nearer(one, other, truth, a, b):
    iou = mask_iou(one, other)
    gain = mask_iou(other, truth) - mask_iou(one, truth)
    assert abs(gain) <= 1 - iou + 1e-9
    assert abs(bounded_gain(a, b, iou) - gain) <= abs(b - a - gain) + 1e-9


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (replace(small(), heads=None), large()),
        (small(), replace(large(), heads=None)),
        (small(expected_iou=None), large()),
        (small(), large(expected_iou=None)),
    ],
)
def test_without_an_expectation_there_is_nothing_to_compare(first, second):
    assert compare(CLICK, first, second, "huge", (1.0, 2.0)) is None


def test_a_member_of_which_nothing_is_expected_is_not_compared():
    assert compare(CLICK, small(), large(), "base", (1.0, 2.0)) is None
