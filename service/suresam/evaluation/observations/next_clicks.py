"""What one more click adds: where the service advises it, at random, and where the error is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from suresam.datasets import Mask
from suresam.domain import ImageSize, Point, Prompt
from suresam.evaluation.observations.asking import decode_prompts
from suresam.evaluation.observations.plan import ONE_CLICK
from suresam.evaluation.observations.token_ious import token_ious
from suresam.evaluation.prompts import correction
from suresam.prediction import click_after
from suresam.segmentation.backbone import Backbone, ImageEmbedding
from suresam.segmentation.selection import CANDIDATE_TOKENS, single_answers
from suresam.segmentation.transforms import full_size_masks

ADVISED, RANDOM, LARGEST_ERROR = range(3)
"""Last axis of what is measured: the advised click, one at random in the union of the three
candidates, and the middle of the largest true error, which bounds what a click can do. All have
the true label of their pixel."""


@torch.inference_mode()
def next_click_ious(
    backbone: Backbone,
    embedding: ImageEmbedding,
    size: ImageSize,
    prompts: Sequence[Prompt],
    places: Sequence[int],
    truths: Sequence[Mask],
    generators: Sequence[np.random.Generator],
) -> NDArray[np.float32]:
    """IoU of the single mask that answers each prompt and one more click.

    Args:
        backbone, embedding, size: model and image.
        prompts: Q of them.
        places: of their kinds in `plan.PROMPTS`; single clicks are answered by the best of three
            masks, others by one.
        truths: (H, W) bool for every prompt.
        generators: of each prompt's random click.

    Returns:
        (Q, 3); NaN where no click is advised or no candidate has a pixel.
    """
    asked: list[tuple[int, int, Prompt]] = []
    for group, rows, decoded in decode_prompts(backbone, embedding, size, prompts):
        single = single_answers(backbone, rows, decoded).cpu().numpy()
        predicted_iou = decoded.predicted_iou.cpu().numpy()
        tokens = _answering(np.array(places)[group], predicted_iou, single)
        for k, i in enumerate(group):
            logits, predicted, token = decoded.low_res_logits[k], predicted_iou[k], int(tokens[k])
            masks = full_size_masks(logits, size).cpu().numpy()
            advised = click_after(backbone, rows[k], logits.cpu().numpy(), predicted, token, size)
            union = np.asarray(masks[list(CANDIDATE_TOKENS)].any(0))
            *centre, _ = correction(np.ascontiguousarray(masks[token]), truths[i])
            clicks = {
                ADVISED: None if advised is None else advised.point,
                RANDOM: _random_pixel(union, generators[i]),
                LARGEST_ERROR: Point(*centre),
            }
            asked += [
                (i, kind, _with_click(prompts[i], point, truths[i]))
                for kind, point in clicks.items()
                if point is not None
            ]
    ious = np.full((len(prompts), 3), np.nan, np.float32)
    further = [prompt for _, _, prompt in asked]
    for group, rows, decoded in decode_prompts(backbone, embedding, size, further):
        single = single_answers(backbone, rows, decoded).cpu().numpy()
        for k, j in enumerate(group):
            question, kind, _ = asked[j]
            logits = decoded.low_res_logits[k, int(single[k])][None]
            ious[question, kind] = float(token_ious(logits, truths[question], size))
    return ious


def answer_tokens(observed: Mapping[str, NDArray[Any]], member: int) -> NDArray[np.int64]:
    """(Q,) the token whose mask answers each question that a member was asked, 0 to 3."""
    predicted, single = observed["predicted_iou"][:, member], observed["single_token"][:, member]
    return _answering(observed["prompt"], predicted, single)


def _answering(
    places: NDArray[Any], predicted_iou: NDArray[Any], single_token: NDArray[Any]
) -> NDArray[np.int64]:
    """The best of three for one click, which may mean several things, and otherwise the token that
    answers where one mask is wanted; of (Q,), (Q, T) and (Q,).
    """
    best = predicted_iou[:, 1:].argmax(-1) + 1
    tokens: NDArray[np.int64] = np.where(np.isin(places, ONE_CLICK), best, single_token)
    return tokens.astype(np.int64)


def _with_click(prompt: Prompt, point: Point, truth: Mask) -> Prompt:
    """The prompt and one more click with its true label."""
    return Prompt(
        points=(*prompt.points, point),
        labels=(*prompt.point_labels, int(truth[int(point.y), int(point.x)])),
        box=prompt.box,
        mask_input=prompt.mask_input,
    )


def _random_pixel(union: Mask, rng: np.random.Generator) -> Point | None:
    pixels = np.flatnonzero(union)
    if not len(pixels):
        return None
    place = int(rng.choice(pixels))
    return Point(place % union.shape[1], place // union.shape[1])
