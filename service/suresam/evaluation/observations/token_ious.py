"""IoU of several masks of one image with one truth, where the masks are made."""

import torch
from torch import Tensor

from suresam.datasets import Mask
from suresam.domain import ImageSize
from suresam.segmentation.transforms import full_size_masks


def token_ious(low_res_logits: Tensor, truth: Mask, size: ImageSize) -> Tensor:
    """IoU at full size of (T, h, w) logits with an (H, W) truth that is not empty: (T,) float32."""
    masks = full_size_masks(low_res_logits, size).flatten(1).float()
    wanted = torch.from_numpy(truth).to(masks.device).flatten().float()
    both = masks @ wanted  # whole numbers, which float32 adds up exactly to 16 million pixels
    return both / (masks.sum(1) + wanted.sum() - both)
