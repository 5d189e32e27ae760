"""Entropies of mixed masks: the baselines that ask several models, clicks or masks at once."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from suresam.datasets import Mask
from suresam.domain import Point, Prompt
from suresam.evaluation.observations.token_ious import token_ious
from suresam.evaluation.predictor import BackbonePredictor
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.selection import CANDIDATE_TOKENS
from suresam.segmentation.transforms import LOGIT_BOUND
from suresam.segmenter import EmbeddedImage
from suresam.uncertainty.entropy import probability_entropy

TOP, BEST = range(2)
"""Last axis of mixtures that take one mask of each run: the one of highest predicted IoU, or the
one that turns out best."""

_CANDIDATES = list(CANDIDATE_TOKENS)


@torch.inference_mode()
def mixed_entropies(
    members: Sequence[BackbonePredictor],
    images: Sequence[EmbeddedImage],
    clicks: Sequence[Point],
    truth: Mask,
) -> dict[str, NDArray[np.float32]]:
    """Entropies of mixtures over masks, clicks and members, for the first of K single clicks.

    Args:
        members: M of them, cheapest first.
        images: the same picture, embedded by each.
        clicks: the click that is answered, and others on the same thing.
        truth: (H, W) bool.

    Returns:
        In bits, [0, 1]: `h_task` (M,), the three masks mixed by their predicted IoUs; `h_prompt`
        (M, 2), a mask of every click; `h_model` (2,), a mask of every member; `h_all` (), all
        masks of all clicks of all members. The last axis of two is `TOP` and `BEST`.

    Source: UncertainSAM (arXiv 2505.05049), entropy baselines H_A, H_X_P, H_Theta and H_Y, the
    last without augmented images. Maps of different sizes are resized to the largest.
    """
    side = max(member.backbone.low_res_size for member in members)
    maps, weights, picked = [], [], []
    for member, image in zip(members, images, strict=True):
        rows = [
            prompt_row(Prompt(points=(click,)), image.size, image.embedding, member.backbone)
            for click in clicks
        ]
        decoded = member.backbone.decode(rows)
        logits = decoded.low_res_logits[:, _CANDIDATES]
        probability = logits.clamp(-LOGIT_BOUND, LOGIT_BOUND).sigmoid()
        maps.append(interpolate(probability, (side, side), mode="bilinear").cpu())
        predicted = decoded.predicted_iou[:, _CANDIDATES].clamp(min=1e-6).cpu()
        weights.append(predicted / predicted.sum(1, keepdim=True))
        iou = torch.stack([token_ious(row, truth, image.size) for row in logits]).cpu()
        picked.append(torch.stack([predicted.argmax(1), iou.argmax(1)], 1))
    # (M, K, 3, side, side), (M, K, 3), (M, K, 2)
    maps_, weights_, picked_ = torch.stack(maps), torch.stack(weights), torch.stack(picked)
    chosen = maps_.gather(2, picked_[..., None, None].expand(-1, -1, -1, side, side))
    weighted = maps_ * weights_[..., None, None]
    return {
        "h_task": _entropy(weighted[:, 0].sum(1)),
        "h_prompt": _entropy(chosen.mean(1)),
        "h_model": _entropy(chosen[:, 0].mean(0)),
        "h_all": _entropy(weighted.sum(2).mean((0, 1))),
    }


def _entropy(probability: Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = probability_entropy(probability).numpy()
    return values
