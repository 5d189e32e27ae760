"""How alike the masks of one answer are."""

import torch
from torch import Tensor

PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""Decoder tokens whose masks are compared."""


def mask_agreement(low_res_logits: Tensor) -> Tensor:
    """Soft IoU of every two masks of an answer.

    Args:
        low_res_logits: (..., 4, h, w) float.

    Returns:
        (..., 6) float32 in [0, 1], in the order of `PAIRS`; 1 where two maps of probabilities are
        equal, unless both are all but empty, which gives 0.

    Source: ours. Ruzicka's (1958) similarity of the maps, which is the IoU of binary ones: masks
    that agree leave nothing to choose, and what several tokens see is seldom wrong.
    """
    probability = low_res_logits.float().sigmoid().flatten(-2)
    totals, masks = probability.sum(-1).unbind(-1), probability.unbind(-2)
    # Pair by pair: indexing by a list would copy it to the device, and wait for that.
    shared = [torch.minimum(masks[one], masks[other]).sum(-1) for one, other in PAIRS]
    inside = torch.stack(shared, -1)
    covered = torch.stack([totals[one] + totals[other] for one, other in PAIRS], -1) - inside
    return (inside / covered.clamp(min=1e-6)).clamp(0, 1)
