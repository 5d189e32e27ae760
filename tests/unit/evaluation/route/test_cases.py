"""What the members answered and what the service expected, of observed fakes."""

import numpy as np
import pytest
from evaluation_fakes import MEMBERS, PICTURE, member
from heads import calibration_of, random_heads

from suresam.evaluation.advice.cases import KINDS
from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.observations.observing import observe
from suresam.evaluation.observations.plan import ObservationPlan
from suresam.evaluation.route.cases import PROMPT_GROUPS, cases_of
from suresam.uncertainty.head_info import MODEL_GAP
from suresam.uncertainty.head_reading import HeadReading

NAMES = ("fake-small", "fake-large")
HEADS = random_heads()


@pytest.fixture(scope="module")
def observed():
    rows = observe(PICTURE, MEMBERS, 0, ObservationPlan(tuple(KINDS)))
    return rows | {"picture": np.zeros(len(rows["prompt"]), np.int64)}


@pytest.fixture(scope="module")
def cases(observed):
    reading = HeadReading(HEADS.info, NAMES[0], NAMES[1], calibration_of(*NAMES))
    return cases_of(observed, HEADS, reading, NAMES)


def test_a_click_is_answered_by_the_best_of_three_and_a_box_by_one(observed, cases):
    is_click = observed["prompt"] != 4
    # The fake's second mask has the highest predicted IoU.
    assert cases.iou[is_click] == pytest.approx(observed["iou"][is_click, :, 2])
    single = observed["single_token"][~is_click].astype(int)
    boxes = np.take_along_axis(observed["iou"][~is_click], single[..., None], 2)[..., 0]
    assert cases.iou[~is_click] == pytest.approx(boxes)


def test_the_gain_is_the_calibrated_gap_of_the_answer(observed, cases):
    is_click = observed["prompt"] != 4
    said = score_observed(HEADS, observed, 0)[:, :, HEADS.info.names.index(MODEL_GAP)]
    assert cases.scores["direct_head"][is_click] == pytest.approx(said[is_click, 2])
    assert list(cases.gains) == ["fake-large"]
    # `calibration_of` halves the head's output.
    half = np.clip(said[is_click, 2], -1, 1) / 2
    assert cases.gains["fake-large"][is_click] == pytest.approx(half)


def test_what_the_decoder_believes_less_is_escalated_sooner(observed, cases):
    is_click = observed["prompt"] != 4
    predicted = observed["predicted_iou"][is_click, 0, 2]
    assert cases.scores["sam_score"][is_click] == pytest.approx(-predicted)
    assert cases.scores["entropy"][is_click] == pytest.approx(observed["entropy"][is_click, 0, 2])


def test_groups_hold_their_own_prompts_alone(cases):
    points, boxes = (cases.of(PROMPT_GROUPS[group]) for group in ("points", "boxes"))
    assert set(points.prompt.tolist()) == {0, 1}
    assert set(boxes.prompt.tolist()) == {4}
    assert len(points.iou) + len(boxes.iou) == len(cases.iou)
    assert len(boxes.gains["fake-large"]) == len(boxes.scores["entropy"]) == len(boxes.iou)


def test_of_three_members_each_larger_one_gains_what_the_service_expects_of_it():
    names = (NAMES[0], "fake-base", NAMES[1])
    rows = observe(
        PICTURE, (MEMBERS[0], member("fake-base", 96), MEMBERS[1]), 0, ObservationPlan(tuple(KINDS))
    )
    models = dict(zip(names, ("iou_small", "iou_base", "iou_large"), strict=True))
    heads = random_heads(models=models)
    reading = HeadReading(heads.info, names[0], names[2], calibration_of(*NAMES), names[1:2])
    found = rows | {"picture": np.zeros(len(rows["prompt"]), np.int64)}
    cases = cases_of(found, heads, reading, names)
    assert cases.iou.shape == (len(rows["prompt"]), 3)
    assert list(cases.gains) == ["fake-base", "fake-large"]
    is_click = rows["prompt"] != 4
    said = score_observed(heads, rows, 0)[is_click, 2]
    small, base, large = (said[:, heads.info.names.index(head)] for head in models.values())
    part = np.where(large - small > 1e-3, (base - small) / (large - small), 1.0).clip(0, 1)
    whole = cases.gains["fake-large"][is_click]
    assert cases.gains["fake-base"][is_click] == pytest.approx(part * whole)
