"""What was advised about observed answers, and what it would have gained."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_fakes import MEMBERS, PICTURE
from heads import calibration_of, random_heads

from suresam.evaluation.advice.cases import KINDS, cases_of
from suresam.evaluation.observations.observing import observe
from suresam.evaluation.observations.plan import ObservationPlan, plan_prompt
from suresam.segmentation.prompts import prompt_row
from suresam.uncertainty.calibration import Curve, MemberCalibration, Reading
from suresam.uncertainty.head_reading import HeadReading

NAMES = ("fake-small", "fake-large")


def calibrated(**gains):
    """A calibration that expects the same gain of every mask."""
    calibration = calibration_of(*NAMES)
    for member in calibration.members.values():
        for told in (member.one_click, member.other):
            told.gains.clear()
            for name, gain in gains.items():
                told.gains[name] = Reading({"entropy": 1.0}, Curve((0.0,), (gain,)))
    return calibration


@pytest.fixture(scope="module")
def observed():
    rows = observe(PICTURE, MEMBERS, 0, ObservationPlan(tuple(KINDS), next_clicks=True))
    return rows | {"picture": np.zeros(len(rows["prompt"]), np.int64)}


def cases(observed, member=0, **gains):
    heads = random_heads()
    reading = HeadReading(heads.info, NAMES[member], NAMES[-1], calibrated(**gains))
    return cases_of(observed, heads, reading, member)


def test_the_gain_of_a_choice_is_that_of_the_best_mask(observed):
    found = cases(observed, task_gap=0.3)
    is_click = observed["prompt"] != 4
    assert set(found.action[is_click]) == {"choose_mask"}
    own = observed["iou"][is_click, 0]
    answered = own[:, 2]  # the fake's second mask has the highest predicted IoU
    assert found.iou[is_click] == pytest.approx(answered)
    assert found.realised_gain[is_click] == pytest.approx(own[:, 1:].max(1) - answered)
    assert found.expected_gain[is_click] == pytest.approx(0.3)
    # A box is answered by one mask, which leaves no choice.
    assert "choose_mask" not in set(found.action[~is_click])
    assert np.isnan(found.gains["choose_mask"][~is_click]).all()


def test_the_likeliest_mask_is_that_of_the_highest_expected_iou(observed):
    calibration, heads = calibrated(), random_heads()
    rising = Reading({"entropy": 1.0}, Curve((0.0, 1.0), (0.0, 1.0)))
    for name, member in calibration.members.items():
        told = replace(member.one_click, expected=rising)
        calibration.members[name] = MemberCalibration(told, told)
    reading = HeadReading(heads.info, NAMES[0], NAMES[-1], calibration)
    found = cases_of(observed, heads, reading, 0)
    own, entropy = observed["iou"][:, 0], observed["entropy"][:, 0]
    is_click = observed["prompt"] != 4
    token = entropy[:, 1:].argmax(1) + 1
    wanted = np.take_along_axis(own, token[:, None], 1)[:, 0]
    assert found.likeliest[is_click] == pytest.approx(wanted[is_click])
    assert found.likeliest[~is_click] == pytest.approx(found.iou[~is_click])


def test_the_gain_of_the_large_model_is_that_of_its_answer(observed):
    found = cases(observed, model_gap=0.2)
    assert set(found.action) == {"use_large"}
    answers = observed["iou"][:, 1, 2]
    is_click = observed["prompt"] != 4
    assert found.realised_gain[is_click] == pytest.approx((answers - found.iou)[is_click])


def test_the_gain_of_a_click_is_what_the_answer_to_it_adds(observed):
    found = cases(observed, next_click_gain=0.2)
    has_click = ~np.isnan(observed["next_click_iou"][:, 0, 0])
    assert (found.action == "add_point").tolist() == has_click.tolist()
    gained = observed["next_click_iou"][:, 0] - found.iou[:, None]
    assert found.gains["add_point"] == pytest.approx(gained[:, 0], nan_ok=True)
    assert found.random_click == pytest.approx(gained[:, 1], nan_ok=True)
    assert found.ideal_click == pytest.approx(gained[:, 2], nan_ok=True)


def test_accepting_gains_nothing(observed):
    found = cases(observed)
    assert set(found.action) <= {"accept", "review"}
    assert (found.realised_gain == 0).all()
    assert (found.expected_gain == 0).all()


def test_prompts_are_of_the_kinds_that_a_service_would_call_them():
    size = MEMBERS[0].embed(PICTURE.image).size
    truth = PICTURE.targets[0].truth
    image = MEMBERS[0].embed(PICTURE.image)
    for name, kind in KINDS.items():
        prompt = plan_prompt(name, truth, image, MEMBERS[0], np.random.default_rng(0))
        assert prompt_row(prompt, size, image.embedding, MEMBERS[0].backbone).kind == kind
