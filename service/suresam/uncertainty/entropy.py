"""Entropy of the mask distribution: the baseline that needs no training."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

_SMALLEST_PROBABILITY = 1e-6
_LARGEST_LOGIT = math.log((1 - _SMALLEST_PROBABILITY) / _SMALLEST_PROBABILITY)


def binary_entropy(mask_logits: Tensor) -> Tensor:
    """Entropy of each pixel's foreground probability.

    Evaluated as softplus(-|z|) + |z| sigmoid(-|z|), which keeps its precision where
    sigmoid(z) has already rounded to 0 or 1.

    Args:
        mask_logits: (..., H, W), any float dtype, unbounded.

    Returns:
        (..., H, W) float32 in bits, within [0, 1]; higher is less certain. Non-finite logits
        give NaN.

    Source: Shannon (1948), section 6, the two-outcome entropy.
    """
    magnitude = mask_logits.float().abs()
    return (softplus(-magnitude) + magnitude * torch.sigmoid(-magnitude)) / math.log(2)


def mask_entropy(low_res_logits: Tensor) -> Tensor:
    """Mean entropy of a mask's pixels, each weighted by its foreground probability.

    Args:
        low_res_logits: (..., h, w) float.

    Returns:
        (...) float32 in bits, within [0, 1]; higher is less certain.

    Source: UncertainSAM (arXiv 2505.05049), the entropy baseline: E(p) = sum(p h(p)) / sum(p)
    with p clipped to [1e-6, 1 - 1e-6].
    """
    logits = low_res_logits.float().clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT).flatten(-2)
    magnitude = logits.abs()
    unlikely = torch.sigmoid(-magnitude)
    nats = magnitude * unlikely - torch.log1p(-unlikely)  # of `binary_entropy`, in fewer steps
    probability = logits.sigmoid()
    return (probability * nats).sum(-1) / (probability.sum(-1) * math.log(2))


def probability_entropy(probability: Tensor) -> Tensor:
    """`mask_entropy` of a map of foreground probabilities, such as a mean of several masks'.

    Args:
        probability: (..., h, w) float in [0, 1].

    Returns:
        (...) float32 in bits, within [0, 1].
    """
    p = probability.float().clamp(_SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
    return (p * binary_entropy(torch.logit(p))).sum((-2, -1)) / p.sum((-2, -1))
