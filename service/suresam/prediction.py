"""From decode rows to finished predictions: one forward, scores on the device, one copy back.

The engine's worker and `Segmenter` both call `predict`, so a mask is the same whoever asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.domain import ImageSize, Prediction
from suresam.errors import NonFiniteOutput
from suresam.segmentation.backbone import (
    BOX_LABELS,
    NUM_MASK_TOKENS,
    Backbone,
    Decoded,
    DecodeRow,
)
from suresam.segmentation.mask_bits import pack_masks
from suresam.segmentation.selection import CANDIDATE_TOKENS, mask_area, single_answers, stability
from suresam.segmentation.transforms import LOGIT_BOUND
from suresam.uncertainty.advice import advise
from suresam.uncertainty.agreement import mask_agreement
from suresam.uncertainty.answer_scores import AGREEMENT, AREA, ENTROPY, PREDICTED_IOU
from suresam.uncertainty.entropy import binary_entropy, mask_entropy
from suresam.uncertainty.member_heads import MemberHeads
from suresam.uncertainty.next_click import NextClick, next_click

STABILITY_OFFSET = 1.0
"""Logits by which the cut is moved for the reported stability, as SAM's mask generator does."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one caller wants of its row.

    Attributes:
        size: of the image, pixels.
        multimask: three candidates, or one mask by the stability rule.
        masks, low_res_logits, maps, entropy, heads: whether to return them.
    """

    size: ImageSize
    multimask: bool = True
    masks: bool = True
    low_res_logits: bool = False
    maps: bool = False
    entropy: bool = False
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
    has_entropy = any(wants.entropy for wants in wanted)
    scores = _scores(decoded, single_answers(backbone, rows, decoded), has_entropy, heads)
    return [
        _finish(backbone, rows[i], decoded.low_res_logits[i], scores.row(i), wants, heads)
        for i, wants in enumerate(wanted)
    ]


_BY_TOKEN = (PREDICTED_IOU, "stability", ENTROPY, AREA)


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """All numbers of B rows on the host, or of one without the first axis.

    Attributes:
        single_token: (B,), the token that answers where one mask is wanted.
        is_finite: (B,).
        by_token: (B, K, T): the first K of `_BY_TOKEN`, as many as were computed.
        agreement: (B, 6), or (B, 0) where nothing reads it.
        heads: (B, T, H); H is 0 without heads.
    """

    single_token: NDArray[np.float64]
    is_finite: NDArray[np.float64]
    by_token: NDArray[np.float64]
    agreement: NDArray[np.float64]
    heads: NDArray[np.float64]

    def row(self, index: int) -> "_Scores":
        return _Scores(*(getattr(self, name)[index] for name in self.__slots__))

    @property
    def decoder(self) -> dict[str, NDArray[np.float64]]:
        """Of one row, as `answer_scores` takes it, as far as it was computed."""
        by_token = dict(zip(_BY_TOKEN, self.by_token, strict=False))
        return by_token | {AGREEMENT: self.agreement}


def _scores(
    decoded: Decoded, single_tokens: Tensor, has_entropy: bool, heads: MemberHeads | None
) -> _Scores:
    """Everything in one copy to the host."""
    logits, predicted_iou = decoded.low_res_logits, decoded.predicted_iou
    is_calibrated = heads is not None and heads.reading.calibrated is not None
    by_token = [predicted_iou, stability(logits, STABILITY_OFFSET)]
    if has_entropy or is_calibrated:  # a calibration reads the entropy, too
        by_token.append(mask_entropy(logits))
    if is_calibrated:
        by_token.append(mask_area(logits))
    is_finite = (logits.isfinite().all(-1).all(-1) & predicted_iou.isfinite()).all(-1)
    columns = [single_tokens[:, None].float(), is_finite[:, None].float(), *by_token]
    pairs = 0
    if is_calibrated:
        columns.append(mask_agreement(logits))
        pairs = columns[-1].shape[1]
    if heads is not None:
        columns.append(heads.heads.score(decoded.iou_token, decoded.mask_tokens).flatten(1))
    host = torch.cat(columns, dim=1).cpu().numpy().astype(np.float64)
    tokens_end = 2 + len(by_token) * NUM_MASK_TOKENS
    ends = [1, 2, tokens_end, tokens_end + pairs]
    single, finite, own, agreement, of_heads = np.split(host, ends, axis=1)
    return _Scores(
        single[:, 0],
        finite[:, 0],
        own.reshape(len(host), len(by_token), NUM_MASK_TOKENS),
        agreement,
        of_heads.reshape(len(host), NUM_MASK_TOKENS, -1),
    )


def _finish(
    backbone: Backbone,
    row: DecodeRow,
    low_res_logits: Tensor,
    scores: _Scores,
    wants: Wanted,
    heads: MemberHeads | None,
) -> Prediction | NonFiniteOutput:
    if not scores.is_finite:
        return NonFiniteOutput("the decoder's output is not finite")
    tokens = list(CANDIDATE_TOKENS) if wants.multimask else [int(scores.single_token)]
    predicted_iou, stable, *entropy = scores.by_token[:, tokens].tolist()
    logits = low_res_logits[tokens]
    read = advice = None
    if heads is not None and wants.heads:
        if not np.isfinite(scores.heads).all():
            return NonFiniteOutput("the output of the uncertainty heads is not finite")
        read = heads.reading.read(scores.heads, scores.decoder, tokens, row.kind)
        best = int(np.argmax(predicted_iou))
        advice = advise(
            read,
            best,
            find_click=lambda: click_after(
                backbone, row, low_res_logits, scores.by_token[0], tokens[best], wants.size
            ),
        )
    return Prediction(
        size=wants.size,
        tokens=tuple(tokens),
        mask_bits=pack_masks(logits, wants.size) if wants.masks else None,
        predicted_iou=tuple(predicted_iou),
        stability=tuple(stable),
        entropy=tuple(entropy[0]) if wants.entropy else None,
        low_res_logits=_float16(logits.clamp(-LOGIT_BOUND, LOGIT_BOUND))
        if wants.low_res_logits
        else None,
        entropy_maps=_float16(binary_entropy(logits)) if wants.maps else None,
        heads=read,
        advice=advice,
    )


def click_after(
    backbone: Backbone,
    row: DecodeRow,
    low_res_logits: Tensor,
    predicted_iou: NDArray[np.floating[Any]],
    token: int,
    size: ImageSize,
) -> NextClick | None:
    """The click that an answer would learn most from.

    Args:
        backbone: who decoded.
        row: what was asked.
        low_res_logits: (4, h, w) of all tokens.
        predicted_iou: (4,) likewise.
        token: whose mask was answered.
        size: of the image.
    """
    candidates = list(CANDIDATE_TOKENS)
    logits = low_res_logits.float().cpu().numpy()
    return next_click(
        logits[candidates],
        predicted_iou[candidates],
        logits[token],
        row.points[np.isin(row.labels, BOX_LABELS, invert=True)] / backbone.input_size,
        size,
    )


def _float16(values: Tensor) -> NDArray[np.float16]:
    result: NDArray[np.float16] = values.half().cpu().numpy()
    return result
