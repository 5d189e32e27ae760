"""Which decoder token's mask is returned: three candidates, or one by the stability rule."""

from collections.abc import Sequence

import torch
from torch import Tensor

from suresam.segmentation.backbone import Backbone, Decoded, DecodeRow

STABILITY_DELTA = 0.05
STABILITY_THRESHOLD = 0.98
"""Upstream's defaults of the rule for a single mask."""

CANDIDATE_TOKENS = (1, 2, 3)
SINGLE_TOKEN = 0


def stability(mask_logits: Tensor, delta: float) -> Tensor:
    """Share of a mask that stays when its cut moves from -delta to +delta.

    Args:
        mask_logits: (..., h, w) float.
        delta: in logits.

    Returns:
        (...) float32 in [0, 1]; 1 where no logit is above -delta.

    Source: SAM's stability score, `MaskDecoder._get_stability_scores` of the `sam2` package.
    """
    flat = mask_logits.flatten(-2)
    inner = (flat > delta).sum(-1).float()
    outer = (flat > -delta).sum(-1).float()
    return torch.where(outer > 0, inner / outer, 1.0)


def mask_area(mask_logits: Tensor) -> Tensor:
    """Share of the map that each mask covers, (...) float32 in [0, 1], of (..., h, w) logits."""
    return (mask_logits > 0).float().mean((-2, -1))


def single_answers(backbone: Backbone, rows: Sequence[DecodeRow], decoded: Decoded) -> Tensor:
    """The token that answers each row where one mask is wanted, (B,) int64 within 0 to 3.

    Args:
        backbone: who decoded; its checkpoint may answer boxes by token 0 in any case.
        rows: B of them.
        decoded: of these rows.
    """
    is_settled = torch.tensor([backbone.box.by_token_0 and row.has_box for row in rows])
    device = decoded.predicted_iou.device
    if device.type == "cuda":  # from pinned memory, or it would wait for the decoder
        is_settled = is_settled.pin_memory().to(device, non_blocking=True)
    return single_mask_tokens(decoded.low_res_logits, decoded.predicted_iou, is_settled)


def single_mask_tokens(low_res_logits: Tensor, predicted_iou: Tensor, is_settled: Tensor) -> Tensor:
    """The token of each row when one mask is wanted.

    Token 0 where its mask is stable or the prompt leaves no choice; otherwise the one of tokens
    1 to 3 with the highest predicted IoU.

    Args:
        low_res_logits: (B, 4, h, w).
        predicted_iou: (B, 4).
        is_settled: (B,) bool, rows that take token 0 in any case; none with official models.

    Returns:
        (B,) int64 within 0 to 3.

    Source: `MaskDecoder._dynamic_multimask_via_stability` of the `sam2` package.
    """
    is_stable = stability(low_res_logits[:, SINGLE_TOKEN], STABILITY_DELTA) >= STABILITY_THRESHOLD
    is_stable |= is_settled
    best_candidate = predicted_iou[:, 1:].argmax(-1) + 1
    return torch.where(is_stable, SINGLE_TOKEN, best_candidate)
