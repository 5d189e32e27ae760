"""From decode rows to finished predictions: one forward, scores on the device, one copy back.

The engine's worker and `Segmenter` both call `predict`, so a mask is the same whoever asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.domain import ImageSize, Prediction, PromptKind
from suresam.errors import NonFiniteOutput
from suresam.segmentation.backbone import NUM_MASK_TOKENS, Backbone, Decoded, DecodeRow
from suresam.segmentation.selection import CANDIDATE_TOKENS, single_answers, stability
from suresam.segmentation.transforms import LOGIT_BOUND, full_size_masks
from suresam.uncertainty.entropy import binary_entropy, mask_entropy
from suresam.uncertainty.member_heads import MemberHeads

STABILITY_OFFSET = 1.0
"""Logits by which the cut is moved for the reported stability, as SAM's mask generator does."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one caller wants of its row.

    Attributes:
        size: of the image, pixels.
        multimask: three candidates, or one mask by the stability rule.
        masks, low_res_logits, maps, heads: whether to return them.
    """

    size: ImageSize
    multimask: bool = True
    masks: bool = True
    low_res_logits: bool = False
    maps: bool = False
    heads: bool = False


@torch.inference_mode()
def predict(
    backbone: Backbone,
    rows: Sequence[DecodeRow],
    wanted: Sequence[Wanted],
    heads: MemberHeads | None = None,
) -> list[Prediction | NonFiniteOutput]:
    """Decode rows of equal shape in one forward and finish each for its own caller.

    Args:
        backbone: decodes.
        rows: at least one.
        wanted: of each row.
        heads: that belong to the backbone's checkpoint, or None.

    Returns:
        For each row its prediction, or the error of that row alone.
    """
    decoded = backbone.decode(rows)
    if not any(wants.heads for wants in wanted):
        heads = None
    scores = _scores(decoded, single_answers(backbone, rows, decoded), heads)
    return [
        _finish(decoded.low_res_logits[i], scores[i], wants, heads, rows[i].kind)
        for i, wants in enumerate(wanted)
    ]


def _scores(
    decoded: Decoded, single_tokens: Tensor, heads: MemberHeads | None
) -> NDArray[np.float64]:
    """(B, 2 + 4 * (3 + H)) on the host: the token of a single mask, whether the row is finite;
    then predicted IoU, stability and entropy of each token, and the heads of each token's mask.
    """
    logits, predicted_iou = decoded.low_res_logits, decoded.predicted_iou
    columns = [
        single_tokens[:, None].float(),
        (logits.isfinite().all(-1).all(-1) & predicted_iou.isfinite()).all(-1)[:, None].float(),
        predicted_iou,
        stability(logits, STABILITY_OFFSET),
        mask_entropy(logits),
    ]
    if heads is not None:
        columns.append(heads.heads.score(decoded.iou_token, decoded.mask_tokens).flatten(1))
    return torch.cat(columns, dim=1).cpu().numpy().astype(np.float64)


def _finish(
    low_res_logits: Tensor,
    scores: NDArray[np.float64],
    wants: Wanted,
    heads: MemberHeads | None,
    kind: PromptKind,
) -> Prediction | NonFiniteOutput:
    single_token, is_finite, *_ = scores
    if not is_finite:
        return NonFiniteOutput("the decoder's output is not finite")
    tokens = CANDIDATE_TOKENS if wants.multimask else (int(single_token),)
    own, of_heads = np.split(scores[2:], [3 * NUM_MASK_TOKENS])
    predicted_iou, stable, entropy = own.reshape(3, NUM_MASK_TOKENS)
    logits = low_res_logits[list(tokens)]
    return Prediction(
        size=wants.size,
        tokens=tokens,
        mask_bits=_packed(full_size_masks(logits, wants.size)) if wants.masks else None,
        predicted_iou=tuple(float(predicted_iou[t]) for t in tokens),
        stability=tuple(float(stable[t]) for t in tokens),
        entropy=tuple(float(entropy[t]) for t in tokens),
        low_res_logits=_float16(logits.clamp(-LOGIT_BOUND, LOGIT_BOUND))
        if wants.low_res_logits
        else None,
        entropy_maps=_float16(binary_entropy(logits)) if wants.maps else None,
        heads=heads.reading.read(of_heads.reshape(NUM_MASK_TOKENS, -1), tokens, kind)
        if heads is not None and wants.heads
        else None,
    )


def _packed(masks: Tensor) -> NDArray[np.uint8]:
    """(M, H, W) bool on the device to packed bits on the host, column by column."""
    columns = masks.transpose(1, 2).contiguous().cpu().numpy()
    return np.packbits(columns.reshape(len(columns), -1), axis=1)


def _float16(values: Tensor) -> NDArray[np.float16]:
    result: NDArray[np.float16] = values.half().cpu().numpy()
    return result
