"""What one member says to prompts about one image, and how good each of its masks is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.datasets import Mask
from suresam.domain import ImageSize, Prompt
from suresam.errors import NonFiniteOutput
from suresam.evaluation.observations.plan import by_shape
from suresam.evaluation.observations.token_ious import token_ious
from suresam.segmentation.backbone import Backbone, Decoded, DecodeRow, ImageEmbedding
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.selection import mask_area, single_answers
from suresam.uncertainty.agreement import mask_agreement
from suresam.uncertainty.entropy import mask_entropy

_MAX_ROWS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one member says to Q prompts; T = 4 decoder tokens, C their width.

    Attributes:
        iou_token: (Q, C) float32.
        mask_tokens: (Q, T, C) float32.
        iou: (Q, T) float32, of the mask of each token with the truth, at the picture's size.
        predicted_iou, entropy, area: (Q, T) float32.
        agreement: (Q, 6) float32, as `mask_agreement` gives it.
        single_token: (Q,) uint8, the token that answers where one mask is wanted.
    """

    iou_token: NDArray[np.float32]
    mask_tokens: NDArray[np.float32]
    iou: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    entropy: NDArray[np.float32]
    area: NDArray[np.float32]
    agreement: NDArray[np.float32]
    single_token: NDArray[np.uint8]


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
    found: dict[int, tuple[Tensor, ...]] = {}
    for group, asked, decoded in decode_prompts(backbone, embedding, size, prompts):
        logits = decoded.low_res_logits
        answers = (
            decoded.iou_token,
            decoded.mask_tokens,
            _ious(logits, [truths[i] for i in group], size),
            decoded.predicted_iou,
            mask_entropy(logits),
            mask_area(logits),
            mask_agreement(logits),
            single_answers(backbone, asked, decoded).to(torch.uint8),
        )
        _keep(found, group, answers)
    return Answers(*_columns(found))


@torch.inference_mode()
def ask_ious(
    backbone: Backbone,
    embedding: ImageEmbedding,
    size: ImageSize,
    prompts: Sequence[Prompt],
    truths: Sequence[Mask],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """`Answers.iou` and `Answers.single_token` alone, which take half of the time."""
    found: dict[int, tuple[Tensor, ...]] = {}
    for group, asked, decoded in decode_prompts(backbone, embedding, size, prompts):
        single = single_answers(backbone, asked, decoded).to(torch.uint8)
        truths_here = [truths[i] for i in group]
        _keep(found, group, (_ious(decoded.low_res_logits, truths_here, size), single))
    iou, token = _columns(found)
    return iou, token


def decode_prompts(
    backbone: Backbone, embedding: ImageEmbedding, size: ImageSize, prompts: Sequence[Prompt]
) -> Iterator[tuple[list[int], list[DecodeRow], Decoded]]:
    """Prompts of one shape together: which they are, their rows and the answers.

    Raises:
        NonFiniteOutput: the model answered with NaN or infinity.
    """
    rows = [prompt_row(prompt, size, embedding, backbone) for prompt in prompts]
    for group in by_shape([row.shape for row in rows], _MAX_ROWS):
        asked = [rows[i] for i in group]
        decoded = backbone.decode(asked)
        if not (decoded.low_res_logits.isfinite().all() and decoded.predicted_iou.isfinite().all()):
            raise NonFiniteOutput(f"{backbone.name} answered with numbers that are not finite")
        yield group, asked, decoded


def _ious(logits: Tensor, truths: Sequence[Mask], size: ImageSize) -> Tensor:
    return torch.stack(
        [token_ious(of_one, t, size) for of_one, t in zip(logits, truths, strict=True)]
    )


def _keep(
    found: dict[int, tuple[Tensor, ...]], group: Sequence[int], answers: Sequence[Tensor]
) -> None:
    host = [answer.cpu() for answer in answers]
    found |= {i: tuple(answer[k] for answer in host) for k, i in enumerate(group)}


def _columns(found: Mapping[int, tuple[Tensor, ...]]) -> list[NDArray[Any]]:
    """Of every answer's row the columns, in the order of the prompts."""
    rows = [found[i] for i in range(len(found))]
    return [torch.stack(column).numpy() for column in zip(*rows, strict=True)]
