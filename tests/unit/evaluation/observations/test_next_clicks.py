"""What one more click adds, against the service's own path."""

import numpy as np
import pytest
from evaluation_fakes import MEMBERS, PICTURE

from suresam.domain import Point, Prompt
from suresam.evaluation.observations.next_clicks import (
    ADVISED,
    LARGEST_ERROR,
    RANDOM,
    answer_tokens,
    next_click_ious,
)
from suresam.evaluation.observations.observing import observe
from suresam.evaluation.observations.plan import PROMPTS, ObservationPlan
from suresam.evaluation.overlap import intersection_over_union
from suresam.evaluation.prompts import correction
from suresam.segmentation.fake import FakeBackbone

NAMES = ("centre_click", "box")


class Follows(FakeBackbone):
    """Its disc lies round the last point, so that an answer tells which click it had."""

    def decode(self, rows):
        decoded = FakeBackbone(input_size=self.input_size).decode(
            [
                type(row)(row.embedding, row.points[-1:], row.labels[-1:], None, row.kind)
                for row in rows
            ]
        )
        return decoded


def test_the_click_at_the_largest_error_is_answered_as_the_service_would():
    member = MEMBERS[0]
    image = member.embed(PICTURE.image)
    truth = PICTURE.targets[0].truth
    prompt = Prompt(points=(Point(17, 17),))
    [answer] = member.ask(image, [prompt], multimask=True)
    x, y, label = correction(np.ascontiguousarray(answer.mask(answer.best)), truth)
    [after] = member.ask(
        image, [Prompt(points=(*prompt.points, (x, y)), labels=(1, label))], multimask=False
    )
    [[*_, ideal]] = next_click_ious(
        member.backbone, image.embedding, image.size, [prompt], [0], [truth],
        [np.random.default_rng(0)],
    )  # fmt: skip
    assert ideal == pytest.approx(intersection_over_union(after.mask(0), truth))


def test_each_click_is_answered_for_itself():
    backbone = Follows(input_size=64)
    [embedding] = backbone.encode([PICTURE.image])
    truth = PICTURE.targets[1].truth
    size = MEMBERS[0].embed(PICTURE.image).size
    # The answer is a disc far from the truth, whose middle the ideal click hits.
    prompt = Prompt(points=(Point(10, 40),))
    [ious] = next_click_ious(
        backbone, embedding, size, [prompt], [0], [truth], [np.random.default_rng(0)]
    )
    assert ious[LARGEST_ERROR] > 0.5
    assert ious[RANDOM] < 0.2
    assert ious[ADVISED] < 0.2


def test_they_are_tried_where_they_are_wanted_and_change_nothing_else():
    usual = observe(PICTURE, MEMBERS, 0, ObservationPlan(NAMES))
    tried = observe(PICTURE, MEMBERS, 0, ObservationPlan(NAMES, next_clicks=True))
    assert np.isnan(usual["next_click_iou"]).all()
    assert tried["next_click_iou"].shape == (4, 2, 3)
    assert (tried["next_click_iou"][..., LARGEST_ERROR] >= 0).all()
    for name in set(usual) - {"next_click_iou"}:
        np.testing.assert_array_equal(usual[name], tried[name], err_msg=name)
    again = observe(PICTURE, MEMBERS, 0, ObservationPlan(NAMES, next_clicks=True))
    np.testing.assert_array_equal(tried["next_click_iou"], again["next_click_iou"])


def test_one_click_is_answered_by_the_best_of_three_and_a_box_by_one():
    observed = {
        "prompt": np.array([PROMPTS.index("centre_click"), PROMPTS.index("box")]),
        "predicted_iou": np.array([[[0.9, 0.1, 0.2, 0.3]], [[0.9, 0.1, 0.3, 0.2]]]),
        "single_token": np.array([[0], [0]]),
    }
    assert answer_tokens(observed, 0).tolist() == [3, 0]
