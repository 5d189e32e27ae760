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
from suresam.segmentation.host_copy import copy_to_host
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
        advice: whether to, beside the heads that it follows from.
    """

    size: ImageSize
    multimask: bool = True
    masks: bool = True
    low_res_logits: bool = False
    maps: bool = False
    entropy: bool = False
    heads: bool = False
    advice: bool = False


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
    single = single_answers(backbone, rows, decoded)
    has_entropy = any(wants.entropy for wants in wanted)
    scores = _score(decoded, single, has_entropy, heads)
    answers = [
        _answer(decoded.low_res_logits[i], single[i : i + 1], wants, heads)
        for i, wants in enumerate(wanted)
    ]
    [scores_told, *told] = copy_to_host([scores, *answers])
    on_host = _Scores(**{name: column.astype(np.float64) for name, column in scores_told.items()})
    return [
        _finish(backbone, row, told[i], on_host.row(i), wanted[i], heads)
        for i, row in enumerate(rows)
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


def _score(
    decoded: Decoded, single: Tensor, has_entropy: bool, heads: MemberHeads | None
) -> dict[str, Tensor]:
    """The fields of `_Scores`, on the device."""
    logits, predicted_iou = decoded.low_res_logits, decoded.predicted_iou
    is_calibrated = _is_calibrated(heads)
    by_token = [predicted_iou, stability(logits, STABILITY_OFFSET)]
    if has_entropy or is_calibrated:  # a calibration reads the entropy, too
        by_token.append(mask_entropy(logits))
    if is_calibrated:
        by_token.append(mask_area(logits))
    none = predicted_iou.new_empty(len(predicted_iou), 0)
    return {
        "single_token": single,
        "is_finite": (logits.isfinite().all(-1).all(-1) & predicted_iou.isfinite()).all(-1),
        "by_token": torch.stack(by_token, dim=1),
        "agreement": mask_agreement(logits) if is_calibrated else none,
        "heads": none[:, None].expand(-1, NUM_MASK_TOKENS, -1)
        if heads is None
        else heads.heads.score(decoded.iou_token, decoded.mask_tokens),
    }


def _answer(
    low_res_logits: Tensor, single: Tensor, wants: Wanted, heads: MemberHeads | None
) -> dict[str, Tensor]:
    """What one row's caller gets beside its scores, on the device.

    Args:
        low_res_logits: (T, h, w).
        single: (1,) int64, the token that answers where one mask is wanted.
        wants: what is wanted.
        heads: None where nobody in the batch wants them.
    """
    # Which token it is, the host does not know yet.
    logits = low_res_logits[1:] if wants.multimask else low_res_logits.index_select(0, single)
    answer: dict[str, Tensor] = {}
    if wants.masks:
        answer["mask_bits"] = pack_masks(logits, wants.size)
    if wants.low_res_logits:
        answer["low_res_logits"] = logits.clamp(-LOGIT_BOUND, LOGIT_BOUND).half()
    if wants.maps:
        answer["entropy_maps"] = binary_entropy(logits).half()
    if wants.advice and _is_calibrated(heads):  # it may be a click
        answer["all_logits"] = low_res_logits
    return answer


def _is_calibrated(heads: MemberHeads | None) -> bool:
    return heads is not None and heads.reading.calibrated is not None


def _finish(
    backbone: Backbone,
    row: DecodeRow,
    told: dict[str, NDArray[Any]],
    scores: _Scores,
    wants: Wanted,
    heads: MemberHeads | None,
) -> Prediction | NonFiniteOutput:
    """One row's prediction, of what is on the host."""
    if not scores.is_finite:
        return NonFiniteOutput("the decoder's output is not finite")
    tokens = list(CANDIDATE_TOKENS) if wants.multimask else [int(scores.single_token)]
    predicted_iou, stable, *entropy = scores.by_token[:, tokens].tolist()
    read = advice = None
    if heads is not None and wants.heads:
        if not np.isfinite(scores.heads).all():
            return NonFiniteOutput("the output of the uncertainty heads is not finite")
        read = heads.reading.read(scores.heads, scores.decoder, tokens, row.kind)
        best = int(np.argmax(predicted_iou))
        if wants.advice:
            advice = advise(
                read,
                best,
                find_click=lambda: click_after(
                    backbone, row, told["all_logits"], scores.by_token[0], tokens[best], wants.size
                ),
            )
    return Prediction(
        size=wants.size,
        tokens=tuple(tokens),
        mask_bits=told.get("mask_bits"),
        predicted_iou=tuple(predicted_iou),
        stability=tuple(stable),
        entropy=tuple(entropy[0]) if wants.entropy else None,
        low_res_logits=told.get("low_res_logits"),
        entropy_maps=told.get("entropy_maps"),
        heads=read,
        advice=advice,
    )


def click_after(
    backbone: Backbone,
    row: DecodeRow,
    low_res_logits: NDArray[np.float32],
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
    return next_click(
        low_res_logits[candidates],
        predicted_iou[candidates],
        low_res_logits[token],
        row.points[np.isin(row.labels, BOX_LABELS, invert=True)] / backbone.input_size,
        size,
    )
