from dataclasses import replace

import numpy as np
import pytest
from heads import calibration_of
from made_masks import made_masks, taken_as_said

from suresam.evaluation.calibration.statements import statements_of
from suresam.uncertainty.calibration import Curve, Interval, Reading


def test_intervals_of_many_are_those_of_each():
    interval = Interval((0.2, 0.5), (-0.3, -0.2, -0.1), (0.5, 0.2, -0.05))
    expected = np.array([-0.4, 0.0, 0.2, 0.3, 0.5, 0.98, 1.2])
    low, high = interval.around(expected)
    each = np.array([interval.around(float(value)) for value in expected])
    assert np.stack([low, high], 1) == pytest.approx(each)


def test_statements_are_those_of_the_service():
    member = calibration_of("fake-small").members["fake-small"]
    plain = Reading({"iou_small": 1.0}, Curve((0.0, 1.0), (0.0, 1.0)))
    member = replace(member, other=replace(member.other, expected=plain))
    masks = made_masks(np.array([0.04, 0.49, 1.0]), np.array([0.2, 0.5, 0.6]))
    masks.scores["iou_small"] = masks.scores["iou_own"]
    said = statements_of(member, masks)
    for place in range(3):
        told = member.of(("one_click", "one_click", "clicks")[place])
        one = told.expected({name: values[place] for name, values in masks.scores.items()})
        assert said.expected[place] == pytest.approx(one)
        assert (said.low[place], said.high[place]) == pytest.approx(told.interval.around(one))
    assert said.expected[2] == pytest.approx(1.0)


def test_an_interval_holds_its_own_ends():
    said = statements_of(taken_as_said(0.25), made_masks(np.full(4, 0.5), np.zeros(4)))
    assert said.covered(np.array([0.25, 0.75, 0.24, 0.76])).tolist() == [1, 1, 0, 0]
    assert said.width.tolist() == [0.5] * 4
