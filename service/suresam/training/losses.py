"""What training minimises: mask errors, wrong self-estimates, and confused pixels."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize, softplus

from suresam.training.forward import Decoded
from suresam.training.islands import island_loss
from suresam.training.recipe import JointStage

_CONTRAST = 8.0
"""Slope of the logistic loss on the cosine of two features."""


def mask_loss(logits: Tensor, truth: Tensor, plain_share: float) -> Tensor:
    """Cross-entropy plus dice of every candidate mask.

    The cross-entropy averages inside and outside apart, so that a small target is not lost
    in its surroundings; `plain_share` mixes in the ordinary average, which wants exact areas.

    Args:
        logits: (R, M, h, w) float, unbounded.
        truth: (R, h, w) float in [0, 1], the share of each pixel inside.
        plain_share: in [0, 1].

    Returns:
        (R, M) float, at least 0.
    """
    truth = truth[:, None].expand_as(logits)
    cross = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    inside = (cross * truth).sum((-2, -1)) / truth.sum((-2, -1)).clamp(min=1e-3)
    outside = (cross * (1 - truth)).sum((-2, -1)) / (1 - truth).sum((-2, -1)).clamp(min=1e-3)
    entropy = (1 - plain_share) * (inside + outside) / 2 + plain_share * cross.mean((-2, -1))
    probability = logits.sigmoid()
    both = (probability * truth).sum((-2, -1))
    dice = 1 - (2 * both + 1) / (probability.sum((-2, -1)) + truth.sum((-2, -1)) + 1)
    return entropy + dice


def answer_loss(
    answer: Decoded, truth: Tensor, stage: JointStage, plain_share: float, is_ambiguous: bool
) -> tuple[Tensor, Tensor]:
    """What an answer's masks and self-estimates cost, and how good its masks are.

    Args:
        answer: to R prompts.
        truth: (R, h, w) float in [0, 1].
        plain_share: see `mask_loss`.
        is_ambiguous: a single click, which is answered by tokens 1 to 3 first; by token 0
            otherwise. The others are trained as well, with less weight.

    Returns:
        The loss, a scalar, and the true IoUs (R, 4).
    """
    masks = mask_loss(answer.logits, truth, plain_share)
    if stage.weight_islands:
        masks = masks + stage.weight_islands * island_loss(answer.logits, truth)
    iou = mask_iou(answer.logits, truth)
    single, three = (
        (stage.weight_single_click, 1.0) if is_ambiguous else (1.0, stage.weight_candidates_box)
    )
    loss = single * masks[:, 0].mean()
    loss = loss + three * candidates_loss(masks, stage.weight_all_candidates)
    return loss + stage.weight_iou * iou_loss(answer.predicted_iou, iou), iou


def candidates_loss(losses: Tensor, all_share: float) -> Tensor:
    """Loss of a prompt with three candidates: only the best one has to be right.

    Args:
        losses: (R, 4) of all tokens; token 0 is no candidate.
        all_share: weight of the mean of all three, so that none is forgotten.

    Returns:
        The mean over prompts, a scalar.
    """
    three = losses[:, 1:]
    return three.amin(1).mean() + all_share * three.mean()


def mask_iou(logits: Tensor, truth: Tensor) -> Tensor:
    """IoU of every candidate, both cut (logit 0, share 0.5): (R, M, h, w), (R, h, w) -> (R, M)."""
    predicted = logits.detach() > 0
    actual = (truth > 0.5)[:, None]
    both = (predicted & actual).sum((-2, -1))
    either = (predicted | actual).sum((-2, -1))
    return both / either.clamp(min=1)


def iou_loss(predicted_iou: Tensor, true_iou: Tensor) -> Tensor:
    """Binary cross-entropy of the predicted IoU to the true one, (R, M) each; a mean."""
    p = predicted_iou.clamp(1e-4, 1 - 1e-4)
    return -(true_iou * p.log() + (1 - true_iou) * (1 - p).log()).mean()


def contrastive_loss(
    features: Tensor, leaves: Tensor, leaf_object: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """Pull the features of one surface together, push those of two objects apart.

    Logistic loss on 8 times the cosine, pairs of one leaf and pairs of two objects averaged
    apart; two parts of one object are neither. Touching instances of one material are two
    objects. Half of the pixels are drawn evenly, half evenly over the leaves.

    Args:
        features: (B, C, h, w) float.
        leaves: (B, S, S) int64; S a multiple of h.
        leaf_object: (B, 256) int64, negative where nobody labelled the leaf.
        count: pixels an image.
        generator: source of the draw, on the CPU.

    Returns:
        The mean over images, a scalar of at least 0.
    """
    batch, channels, height, width = features.shape
    stride = leaves.shape[-1] // width
    cells = leaves[:, stride // 2 :: stride, stride // 2 :: stride].reshape(batch, -1)
    num_cells = height * width
    count = min(count, num_cells)
    seen = torch.zeros(batch, 256, device=cells.device)
    seen.scatter_add_(1, cells, torch.ones_like(cells, dtype=torch.float32))
    weight = (0.5 / num_cells + 0.5 / (seen > 0).sum(1, keepdim=True) / seen.gather(1, cells)).cpu()
    picked = torch.multinomial(weight, count, generator=generator).to(cells.device)
    leaf = cells.gather(1, picked)
    owner = leaf_object.gather(1, leaf)
    flat = features.reshape(batch, channels, num_cells)
    chosen = flat.gather(2, picked[:, None].expand(-1, channels, -1)).transpose(1, 2)
    unit = normalize(chosen.float(), dim=2)
    similarity = _CONTRAST * unit @ unit.transpose(1, 2)
    alike = leaf[:, :, None] == leaf[:, None, :]
    alike &= ~torch.eye(count, dtype=torch.bool, device=alike.device)
    alike &= (owner >= 0)[:, :, None]  # what nobody labelled may be many things
    apart = owner[:, :, None] != owner[:, None, :]

    def mean_of(loss: Tensor, pairs: Tensor) -> Tensor:
        return (loss * pairs).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)

    pull = mean_of(softplus(-similarity), alike)
    push = mean_of(softplus(similarity), apart)
    return (pull + push).mean()
