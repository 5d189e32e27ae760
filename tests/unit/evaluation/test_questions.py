from dataclasses import replace

import numpy as np
import pytest
from unit.evaluation.conftest import Scripted, rectangle

from suresam.domain import Box, Point
from suresam.evaluation.measuring import BASELINES, IOU, gather, measure_picture
from suresam.evaluation.questions import (
    CANDIDATES,
    QUESTIONS,
    ask_everything,
    coarse_logits,
    coarse_mask,
)
from suresam.evaluation.targets import Picture, Target
from suresam.masks.rle import decode_rle

TRUTH = rectangle(4, 6, 15, 17)
LEFT, RIGHT = rectangle(4, 6, 9, 17), rectangle(9, 6, 15, 17)


def picture(*truths: np.ndarray) -> Picture:
    targets = tuple(Target(3, i, truth) for i, truth in enumerate(truths))
    return Picture("p", np.zeros((20, 20, 3), np.uint8), targets)


def test_the_first_click_counts_by_highest_predicted_iou_and_by_the_best_of_three():
    predictor = Scripted([LEFT, TRUTH, RIGHT], [0.3, 0.5, 0.9])
    [asked] = ask_everything(predictor, picture(TRUTH))
    assert asked.scores["click_top"].iou == pytest.approx(6 / 11)
    assert asked.scores["click_top"].predicted_iou == 0.9
    assert asked.scores["click_best_of_three"] == (1.0, 1.0, 0.5)
    assert [asked.scores[c].iou for c in CANDIDATES] == pytest.approx([5 / 11, 1, 6 / 11])
    assert np.array_equal(decode_rle(asked.shown), RIGHT)
    assert asked.scores["click_single"].iou == asked.scores["box"].iou == pytest.approx(5 / 11)
    assert set(asked.scores) == {*QUESTIONS, *CANDIDATES}


def test_each_click_corrects_the_answer_before_and_gives_its_logits_back():
    predictor = Scripted([LEFT, TRUTH, RIGHT], [0.3, 0.5, 0.9])
    ask_everything(predictor, picture(TRUTH))
    assert predictor.num_embedded == 1
    [first, single, two, three, *_] = predictor.asked
    assert (first[1], single[1], two[1]) == (True, False, False)
    [click] = first[0]
    assert click.points == (Point(9, 11),)
    [corrected] = two[0]
    # The right part was answered, so the left part (x 4 to 8) was missed.
    assert corrected.points == (Point(9, 11), Point(6, 8))
    assert corrected.point_labels == (1, 1)
    assert corrected.mask_input[0, 0] == 1 + 2 / 4  # the first answer's third candidate
    [again] = three[0]
    assert again.points[:2] == corrected.points
    assert len(again.points) == 3
    assert 9 <= again.points[2].x < 15  # now the left part was answered
    assert again.mask_input[0, 0] == 3  # the third answer's only mask
    assert len(predictor.asked[6][0][0].points) == 6


def test_boxes_are_tight_and_also_told_by_their_corners_alone():
    predictor = Scripted([TRUTH] * 3, [0.5] * 3)
    ask_everything(predictor, picture(TRUTH))
    eight, box, corners, both, own, coarse = predictor.asked[7:]
    [scattered], is_multimask, _ = eight
    assert len(set(scattered.points)) == 8
    assert scattered.points[0] == (9, 11)
    assert all(TRUTH[int(y), int(x)] for x, y in scattered.points)
    assert scattered.mask_input is None
    assert not is_multimask
    assert box[0][0].box == Box(4, 6, 15, 17)
    assert (box[2], corners[2], both[2]) == (False, True, False)
    assert corners[0] == box[0]
    assert (both[0][0].box, both[0][0].points) == (Box(4, 6, 15, 17), (Point(9, 11),))
    assert own[0][0].mask_input[0, 0] == 1
    assert np.array_equal(coarse[0][0].mask_input, coarse_logits(TRUTH))
    assert own[0][0].points == coarse[0][0].points == (Point(9, 11),)


def test_all_targets_of_a_picture_are_asked_at_once():
    predictor = Scripted([TRUTH] * 3, [0.5] * 3)
    one, other = ask_everything(predictor, picture(TRUTH, LEFT))
    assert {len(prompts) for prompts, *_ in predictor.asked} == {2}
    assert one.scores["three_clicks"].iou == 1.0
    assert other.scores["three_clicks"].iou == pytest.approx(5 / 11)


def test_a_coarse_mask_is_the_truth_in_eight_by_eight_cells():
    truth = rectangle(0, 0, 9, 16, (16, 16))  # cells of 2 x 2; the fifth column is half inside
    logits = coarse_logits(truth)
    assert logits.shape == (8, 8)
    assert (logits[:, :5] == 4).all()
    assert (logits[:, 5:] == -4).all()
    speck = rectangle(5, 5, 6, 6, (16, 16))
    assert np.argwhere(coarse_logits(speck) > 0).tolist() == [[2, 2]]
    assert coarse_mask(speck)[5, 5]


def test_models_and_baselines_are_measured_on_the_same_targets():
    perfect = Scripted([TRUTH] * 3, [0.9] * 3, name="perfect")
    empty = Scripted([np.zeros_like(TRUTH)] * 3, [0.1] * 3, name="empty")
    pictures = [picture(TRUTH), picture(TRUTH, TRUTH)]
    measured = gather(measure_picture([perfect, empty], p) for p in pictures)
    assert [(t.example, t.index, t.click) for t in measured.targets] == [
        (3, 0, (9, 11)), (3, 0, (9, 11)), (3, 1, (9, 11)),
    ]  # fmt: skip
    assert all((scores[:, IOU] == 1).all() for scores in measured.models["perfect"].values())
    assert all((scores[:, IOU] == 0).all() for scores in measured.models["empty"].values())
    assert set(measured.baselines) == set(BASELINES)
    assert (measured.baselines["filled_box"][:, IOU] == 1).all()
    assert not np.isnan(measured.baselines["grabcut"][:, IOU]).any()
    disc = measured.baselines["disc_one_radius"][0, IOU]
    assert 0.7 < disc <= measured.baselines["disc_best_of_three"][0, IOU] < 1
    # An even colour floods the whole picture: 121 of 400 pixels.
    assert measured.baselines["flood_one_tolerance"][:, IOU] == pytest.approx(121 / 400)
    assert len(measured.settings["flood_best_of_three"]) == 3


def test_grabcut_is_asked_for_targets_wherever_they_stand_in_their_pictures():
    pictures = [replace(picture(*[TRUTH] * 5), image_id=str(number)) for number in range(20)]

    def cut(**more: float) -> np.ndarray:
        predictor = Scripted([TRUTH] * 3, [0.9] * 3)
        measured = gather(measure_picture([predictor], p, **more) for p in pictures)
        return ~np.isnan(measured.baselines["grabcut"][:, IOU])

    chosen = cut(grabcut_share=0.2, seed=3)
    assert 10 <= chosen.sum() <= 30  # 20 of 100 are expected
    assert chosen.reshape(20, 5).any(axis=0).all()  # a first target is no likelier than a fifth
    assert np.array_equal(chosen, cut(grabcut_share=0.2, seed=3))
    assert not np.array_equal(chosen, cut(grabcut_share=0.2, seed=4))
    assert not cut(grabcut_share=0.0).any()


def test_baselines_may_be_left_out():
    predictor = Scripted([TRUTH] * 3, [0.9] * 3)
    alone = measure_picture([predictor], picture(TRUTH), with_baselines=False)
    assert gather([alone]).baselines == {}


def test_the_first_targets_of_a_picture_are_a_whole_without_the_others():
    predictor = Scripted([TRUTH] * 3, [0.9] * 3)
    scores = measure_picture([predictor], picture(TRUTH, TRUTH))
    measured = gather([scores.first(1)])
    assert len(measured.targets) == 1
    assert {len(rows) for rows in measured.models["scripted"].values()} == {1}
    assert {len(rows) for rows in measured.baselines.values()} == {1}
