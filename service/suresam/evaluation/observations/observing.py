"""Asking every member of a family the same prompts about one picture."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.datasets import Mask
from suresam.domain import ImageSize, Prompt
from suresam.errors import NonFiniteOutput
from suresam.evaluation.observations.mixtures import mixed_entropies
from suresam.evaluation.observations.next_clicks import next_click_ious
from suresam.evaluation.observations.plan import (
    PROMPTS,
    by_shape,
    denser,
    plan_prompt,
)
from suresam.evaluation.observations.token_ious import token_ious
from suresam.evaluation.predictor import BackbonePredictor
from suresam.evaluation.targets import Picture
from suresam.segmentation.backbone import Backbone, ImageEmbedding
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.selection import single_answers
from suresam.uncertainty.agreement import mask_agreement
from suresam.uncertainty.entropy import mask_entropy

_MAX_ROWS = 16

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one member says to Q prompts; T = 4 decoder tokens, C their width.

    Attributes:
        iou_token: (Q, C) float32.
        mask_tokens: (Q, T, C) float32.
        iou: (Q, T) float32, of the mask of each token with the truth, at the picture's size.
        predicted_iou, entropy: (Q, T) float32.
        agreement: (Q, 6) float32, as `mask_agreement` gives it.
        single_token: (Q,) uint8, the token that answers where one mask is wanted.
    """

    iou_token: NDArray[np.float32]
    mask_tokens: NDArray[np.float32]
    iou: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    entropy: NDArray[np.float32]
    agreement: NDArray[np.float32]
    single_token: NDArray[np.uint8]


def observe(
    picture: Picture,
    members: Sequence[BackbonePredictor],
    seed: int,
    names: Sequence[str] = PROMPTS,
    next_clicks: bool = False,
) -> Arrays:
    """The answers of all members to all prompts of a picture's targets.

    Args:
        picture: with targets.
        members: cheapest first; the first one's answers are corrected.
        seed: with the picture's name and the target's place, of every choice of prompts.
        names: of the prompts that every target gets.
        next_clicks: whether to try one more click; `next_click_iou` is NaN without.

    Returns:
        By the names of `store.fields`, one row for each target and prompt, targets first.

    Raises:
        NonFiniteOutput: a member answered with NaN or infinity.
    """
    images = [member.embed(picture.image) for member in members]
    prompts: list[Prompt] = []
    dense: list[Prompt] = []
    truths: list[Mask] = []
    name = zlib.crc32(picture.image_id.encode())
    places = [PROMPTS.index(wanted) for wanted in names]
    for target in picture.targets:
        for place in places:
            # A draw of its own for each prompt, so that none depends on which others are asked.
            rng = np.random.default_rng([seed, name, target.example, target.index, place])
            prompt = plan_prompt(PROMPTS[place], target.truth, images[0], members[0], rng)
            prompts.append(prompt)
            dense.append(denser(prompt, target.truth, rng))
            truths.append(target.truth)
    size = images[0].size
    usual = [
        ask(m.backbone, image.embedding, size, prompts, truths)
        for m, image in zip(members, images, strict=True)
    ]
    denser_answers = [
        ask(m.backbone, image.embedding, size, dense, truths)
        for m, image in zip(members, images, strict=True)
    ]
    arrays: Arrays = {
        field: np.stack([getattr(answers, field) for answers in usual], 1)
        for field in Answers.__slots__
    }
    for field in ("iou", "single_token"):
        arrays[f"dense_{field}"] = np.stack([getattr(a, field) for a in denser_answers], 1)
    arrays["prompt"] = np.tile(np.array(places, np.uint8), len(picture.targets))
    arrays["next_click_iou"] = np.full((len(prompts), len(members), 3), np.nan, np.float32)
    if next_clicks:
        kinds = [int(place) for place in arrays["prompt"]]
        for number, (m, image) in enumerate(zip(members, images, strict=True)):
            draws = [np.random.default_rng([seed, name, row]) for row in range(len(prompts))]
            arrays["next_click_iou"][:, number] = next_click_ious(
                m.backbone, image.embedding, size, prompts, kinds, truths, draws
            )
    shares = np.array([target.share for target in picture.targets], np.float32)
    arrays["share"] = np.repeat(shares, len(places))
    count = len(members)
    mixtures = {"h_task": (count,), "h_prompt": (count, 2), "h_model": (2,), "h_all": ()}
    for field, shape in mixtures.items():
        arrays[field] = np.full((len(prompts), *shape), np.nan, np.float32)
    for row in np.flatnonzero(arrays["prompt"] == PROMPTS.index("centre_click")):
        mixed = mixed_entropies(members, images, dense[row].points, truths[row])
        for field, value in mixed.items():
            arrays[field][row] = value
    return arrays


@torch.inference_mode()
def ask(
    backbone: Backbone,
    embedding: ImageEmbedding,
    size: ImageSize,
    prompts: Sequence[Prompt],
    truths: Sequence[Mask],
) -> Answers:
    """What a model says to prompts about one image.

    Args:
        truths: (H, W) bool for every prompt.

    Raises:
        NonFiniteOutput: it answered with NaN or infinity.
    """
    rows = [prompt_row(prompt, size, embedding, backbone) for prompt in prompts]
    found: dict[int, tuple[Tensor, ...]] = {}
    for group in by_shape([row.shape for row in rows], _MAX_ROWS):
        asked = [rows[i] for i in group]
        decoded = backbone.decode(asked)
        logits, predicted_iou = decoded.low_res_logits, decoded.predicted_iou
        if not (logits.isfinite().all() and predicted_iou.isfinite().all()):
            raise NonFiniteOutput(f"{backbone.name} answered with numbers that are not finite")
        answers = (
            decoded.iou_token,
            decoded.mask_tokens,
            torch.stack([token_ious(logits[k], truths[i], size) for k, i in enumerate(group)]),
            predicted_iou,
            mask_entropy(logits),
            mask_agreement(logits),
            single_answers(backbone, asked, decoded).to(torch.uint8),
        )
        host = [answer.cpu() for answer in answers]
        found |= {i: tuple(answer[k] for answer in host) for k, i in enumerate(group)}
    columns = [
        torch.stack([found[i][column] for i in range(len(rows))]).numpy()
        for column in range(len(Answers.__slots__))
    ]
    return Answers(*columns)
