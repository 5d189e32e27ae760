"""Asking every member of a family the same prompts about one picture."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Mask
from suresam.domain import Prompt
from suresam.evaluation.observations.asking import Answers, ask, ask_ious
from suresam.evaluation.observations.mixtures import mixed_entropies
from suresam.evaluation.observations.next_clicks import next_click_ious
from suresam.evaluation.observations.plan import PROMPTS, ObservationPlan, denser, plan_prompt
from suresam.evaluation.predictor import BackbonePredictor
from suresam.evaluation.targets import Picture

Arrays = dict[str, NDArray[np.generic]]


def observe(
    picture: Picture,
    members: Sequence[BackbonePredictor],
    seed: int,
    plan: ObservationPlan,
) -> Arrays:
    """The answers of all members to all prompts of a picture's targets.

    Args:
        picture: with targets.
        members: cheapest first; the first one's answers are corrected.
        seed: with the picture's name and the target's place, of every choice of prompts.
        plan: of what is asked.

    Returns:
        By the names of `store.fields`, one row for each target and prompt, targets first; NaN
        where the plan does not ask.

    Raises:
        NonFiniteOutput: a member answered with NaN or infinity.
    """
    images = [member.embed(picture.image) for member in members]
    prompts: list[Prompt] = []
    dense: list[Prompt] = []
    truths: list[Mask] = []
    places: list[int] = []
    shares: list[float] = []
    name = zlib.crc32(picture.image_id.encode())
    for target in picture.targets:
        whose = [seed, name, target.example, target.index]
        for place in plan.places(np.random.default_rng([*whose, len(PROMPTS)])):
            # A draw of its own for each prompt, so that none depends on which others are asked.
            rng = np.random.default_rng([*whose, place])
            prompt = plan_prompt(PROMPTS[place], target.truth, images[0], members[0], rng)
            prompts.append(prompt)
            dense.append(denser(prompt, target.truth, rng))
            truths.append(target.truth)
            places.append(place)
            shares.append(target.share)
    size = images[0].size
    usual = [
        ask(m.backbone, image.embedding, size, prompts, truths)
        for m, image in zip(members, images, strict=True)
    ]
    denser_answers = [
        ask_ious(m.backbone, image.embedding, size, dense, truths)
        for m, image in zip(members, images, strict=True)
    ]
    arrays: Arrays = {
        field: np.stack([getattr(answers, field) for answers in usual], 1)
        for field in Answers.__slots__
    }
    arrays["dense_iou"] = np.stack([iou for iou, _ in denser_answers], 1)
    arrays["dense_single_token"] = np.stack([token for _, token in denser_answers], 1)
    arrays["prompt"] = np.array(places, np.uint8)
    arrays["share"] = np.array(shares, np.float32)
    arrays["next_click_iou"] = np.full((len(prompts), len(members), 3), np.nan, np.float32)
    if plan.next_clicks:
        for number, (m, image) in enumerate(zip(members, images, strict=True)):
            draws = [np.random.default_rng([seed, name, row]) for row in range(len(prompts))]
            arrays["next_click_iou"][:, number] = next_click_ious(
                m.backbone, image.embedding, size, prompts, places, truths, draws
            )
    count = len(members)
    mixtures = {"h_task": (count,), "h_prompt": (count, 2), "h_model": (2,), "h_all": ()}
    for field, shape in mixtures.items():
        arrays[field] = np.full((len(prompts), *shape), np.nan, np.float32)
    asked = arrays["prompt"] == PROMPTS.index("centre_click") if plan.mixtures else []
    for row in np.flatnonzero(asked):
        mixed = mixed_entropies(members, images, dense[row].points, truths[row])
        for field, value in mixed.items():
            arrays[field][row] = value
    return arrays
