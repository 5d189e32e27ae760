"""What is kept of every answer, against the service's own path."""

import numpy as np
import pytest
import torch
from evaluation_fakes import MEMBERS, PICTURE

from suresam.errors import ConfigurationError, NonFiniteOutput
from suresam.evaluation.observations.observing import observe
from suresam.evaluation.observations.plan import PROMPTS, ObservationPlan, plan_prompt
from suresam.evaluation.observations.store import fields
from suresam.evaluation.overlap import intersection_over_union
from suresam.evaluation.targets import Picture
from suresam.uncertainty.entropy import mask_entropy

EVERYTHING = ObservationPlan(mixtures=True)


def test_arrays_have_a_row_for_each_target_and_prompt():
    arrays = observe(PICTURE, MEMBERS, 0, EVERYTHING)
    rows = 2 * len(PROMPTS)
    wanted = fields(num_members=2, width=1)
    assert set(arrays) == set(wanted)
    for name, (dtype, shape) in wanted.items():
        assert arrays[name].shape == (rows, *shape), name
        assert arrays[name].dtype == dtype, name
    assert arrays["prompt"].tolist() == [*range(7), *range(7)]
    assert arrays["share"][0] == pytest.approx(PICTURE.targets[0].share)
    assert arrays["share"][7] == pytest.approx(PICTURE.targets[1].share)


def test_ious_and_scores_are_those_of_the_answers_that_the_service_gives():
    arrays = observe(PICTURE, MEMBERS, 0, EVERYTHING)
    target = PICTURE.targets[1]
    for member, predictor in enumerate(MEMBERS):
        image = predictor.embed(PICTURE.image)
        # The centre click and the coarse mask depend on no draw.
        for place in (PROMPTS.index("centre_click"), PROMPTS.index("coarse_mask")):
            rng = np.random.default_rng(0)
            prompt = plan_prompt(PROMPTS[place], target.truth, image, predictor, rng)
            [three] = predictor.ask(image, [prompt], multimask=True)
            [one] = predictor.ask(image, [prompt], multimask=False)
            row = 7 + place
            for k, token in enumerate((1, 2, 3)):
                iou = intersection_over_union(three.mask(k), target.truth)
                assert arrays["iou"][row, member, token] == pytest.approx(iou)
            kept = arrays["predicted_iou"][row, member, 1:]
            assert kept.tolist() == pytest.approx(three.predicted_iou)
            entropy = mask_entropy(torch.from_numpy(three.low_res_logits))
            kept = arrays["entropy"][row, member, 1:]
            assert kept.tolist() == pytest.approx(entropy.tolist(), abs=2e-3)  # float16 logits
            assert arrays["single_token"][row, member] == one.tokens[0]
    for name in ("h_task", "h_prompt", "h_model", "h_all"):
        is_there = ~np.isnan(arrays[name]).reshape(14, -1).any(1)
        assert np.flatnonzero(is_there).tolist() == [0, 7]  # the centre clicks
    # The fake's IoU token is the red value by 1000, its mask tokens are their numbers.
    assert arrays["iou_token"][..., 0] == pytest.approx(np.full((14, 2), 0.01))
    assert (arrays["mask_tokens"][..., 0] == np.arange(4)).all()


def test_a_picture_gives_the_same_whoever_was_asked_before():
    alone = observe(PICTURE, MEMBERS, 3, EVERYTHING)
    observe(Picture("other", PICTURE.image, PICTURE.targets[:1]), MEMBERS, 3, EVERYTHING)
    again = observe(PICTURE, MEMBERS, 3, EVERYTHING)
    for name, values in alone.items():
        np.testing.assert_array_equal(values, again[name], err_msg=name)


def test_numbers_that_are_not_finite_are_refused():
    image = PICTURE.image.copy()
    image[..., 0] = 202  # the fake's poison
    with pytest.raises(NonFiniteOutput):
        observe(Picture("bad", image, PICTURE.targets), MEMBERS, 0, EVERYTHING)


def test_a_prompt_gives_the_same_whichever_others_are_asked():
    everything = observe(PICTURE, MEMBERS, 0, EVERYTHING)
    some = observe(PICTURE, MEMBERS, 0, ObservationPlan(("clicks", "centre_click"), mixtures=True))
    assert some["prompt"].tolist() == [2, 0, 2, 0]
    for name, values in some.items():
        np.testing.assert_array_equal(values, everything[name][[2, 0, 9, 7]], err_msg=name)


def test_a_few_prompts_of_a_target_are_its_first_and_others_drawn():
    plan = ObservationPlan(per_target=3)
    drawn = [plan.places(np.random.default_rng(seed)) for seed in range(60)]
    assert {places[0] for places in drawn} == {PROMPTS.index("centre_click")}
    assert all(len(set(places)) == 3 for places in drawn)
    others = np.bincount([place for places in drawn for place in places[1:]], minlength=7)
    assert others[0] == 0
    assert others[1:].min() > 5  # of 20 expected
    everything, some = (observe(PICTURE, MEMBERS, 0, p) for p in (EVERYTHING, plan))
    assert len(some["prompt"]) == 6
    rows = [int(place) + 7 * (row // 3) for row, place in enumerate(some["prompt"])]
    for name in set(some) - {"h_task", "h_prompt", "h_model", "h_all"}:
        np.testing.assert_array_equal(some[name], everything[name][rows], err_msg=name)


@pytest.mark.parametrize("count", [0, 8])
def test_prompts_of_a_target_that_there_are_not_are_refused(count):
    with pytest.raises(ConfigurationError, match=f"{count} prompts of a target: choose 1 to 7"):
        ObservationPlan(per_target=count)


def test_mixtures_are_asked_for_where_they_are_wanted():
    arrays = observe(PICTURE, MEMBERS, 0, ObservationPlan())
    for name in ("h_task", "h_prompt", "h_model", "h_all"):
        assert np.isnan(arrays[name]).all()
