"""Targets of the heads, worked by hand."""

import numpy as np
import pytest
from heads import info_of

from suresam.evaluation.observations.head_targets import head_targets

INFO = info_of(models={"s": "iou_s", "l": "iou_l"})


def observed(**changes: object) -> dict[str, np.ndarray]:
    """One question, two members, tokens 0 to 3."""
    values = {
        "iou": [[[0.1, 0.2, 0.6, 0.4], [0.5, 0.7, 0.3, 0.9]]],
        "predicted_iou": [[[0.99, 0.1, 0.2, 0.3], [0.0, 0.8, 0.1, 0.2]]],
        "single_token": [[2, 0]],
        "dense_iou": [[[0.15, 0.3, 0.65, 0.45], [0.55, 0.8, 0.35, 0.95]]],
        "dense_single_token": [[2, 3]],
    }
    arrays = {name: np.array(value) for name, value in (values | changes).items()}
    return {k: v.astype(np.uint8 if "token" in k else np.float32) for k, v in arrays.items()}


@pytest.fixture
def of():
    targets = head_targets(observed(), INFO, ["s", "l"])
    assert targets.shape == (1, 2, 4, len(INFO.names))
    return {name: targets[0, ..., i] for i, name in enumerate(INFO.names)}


def test_a_models_own_head_learns_each_masks_iou_and_the_others_its_answer(of):
    # Of three, small answers with token 3 (0.4) and large with token 1 (0.7); of one, with
    # token 2 (0.6) and token 0 (0.5).
    assert of["iou_s"][0] == pytest.approx([0.1, 0.2, 0.6, 0.4])
    assert of["iou_l"][0] == pytest.approx([0.5, 0.7, 0.7, 0.7])
    assert of["iou_l"][1] == pytest.approx([0.5, 0.7, 0.3, 0.9])
    assert of["iou_s"][1] == pytest.approx([0.6, 0.4, 0.4, 0.4])


def test_the_answer_and_the_answer_to_the_dense_prompt(of):
    assert of["iou_unsupervised"][0] == pytest.approx([0.6, 0.4, 0.4, 0.4])
    assert of["iou_unsupervised"][1] == pytest.approx([0.5, 0.7, 0.7, 0.7])
    assert of["iou_dense_prompt"][0] == pytest.approx([0.65] * 4)
    assert of["iou_dense_prompt"][1] == pytest.approx([0.95] * 4)


def test_gaps_are_gains_over_each_mask(of):
    assert of["model_gap"][0] == pytest.approx([0.4, 0.5, 0.1, 0.3])
    assert np.isnan(of["model_gap"][1]).all()  # nothing is larger than the large member
    assert of["prompt_gap"][0] == pytest.approx([0.55, 0.45, 0.05, 0.25])
    assert of["task_gap"][0] == pytest.approx([0.5, 0.4, 0.0, 0.2])
    assert of["task_gap"][1] == pytest.approx([0.4, 0.2, 0.6, 0.0])


def test_a_family_of_one_has_no_model_gap():
    one = {name: values[:, :1] for name, values in observed().items()}
    targets = head_targets(one, info_of(models={"s": "iou_s"}), ["s"])
    column = info_of(models={"s": "iou_s"}).names.index("model_gap")
    assert np.isnan(targets[..., column]).all()


def test_with_three_members_the_gap_is_to_the_last():
    three = {name: values[:, [0, 1, 1]] for name, values in observed().items()}
    info = info_of(models={"s": "iou_s", "m": "iou_m", "l": "iou_l"})
    gap = head_targets(three, info, ["s", "m", "l"])[..., info.names.index("model_gap")]
    assert gap[0, 0] == pytest.approx([0.4, 0.5, 0.1, 0.3])
    assert np.isnan(gap[0, 1:]).all()


def test_heads_know_more_models_than_the_family_has():
    info = info_of(models={"t": "iou_t", "l": "iou_l", "s": "iou_s", "h": "iou_h"})
    targets = head_targets(observed(), info, ["s", "l"])
    of = {name: targets[0, ..., i] for i, name in enumerate(info.names)}
    assert of["iou_s"][0] == pytest.approx([0.1, 0.2, 0.6, 0.4])
    assert of["iou_l"][1] == pytest.approx([0.5, 0.7, 0.3, 0.9])
    assert np.isnan(of["iou_t"]).all()
    assert np.isnan(of["iou_h"]).all()
