"""Pixels into the model and mask logits out of it, as upstream does, on the device."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from suresam.domain import ImageSize
from suresam.segmentation.staging import Staging

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's channel statistics, for RGB in [0, 1]."""

LOGIT_BOUND = 32.0
"""Returned low-res logits lie within +-32, as upstream's, since a client may send them back."""


def normalise_images(
    images: Sequence[NDArray[np.uint8]], input_size: int, staging: Staging
) -> Tensor:
    """Resize to a square and normalise. The aspect ratio is not kept, as upstream.

    Args:
        images: RGB uint8 (H, W, 3), each of its own size.
        input_size: side of the square in pixels.
        staging: to the device where the arithmetic runs; uint8 crosses to it.

    Returns:
        (B, 3, input_size, input_size) float32.

    Source: `SAM2Transforms` of the `sam2` package (bilinear, antialiased, then normalised).
    """
    mean, std = _statistics(staging.device)
    batch = torch.empty(len(images), 3, input_size, input_size, device=staging.device)
    for row, image in zip(batch, images, strict=True):
        pixels = staging.put(image).permute(2, 0, 1).contiguous().float().div(255)
        resized = interpolate(
            pixels[None], (input_size, input_size), mode="bilinear", antialias=True
        )
        row.copy_(resized[0].sub(mean).div(std))
    return batch


@lru_cache
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    # Once a device: making a tensor there of host values waits for all that the device has to do.
    return (
        torch.tensor(MEAN, device=device).view(3, 1, 1),
        torch.tensor(STD, device=device).view(3, 1, 1),
    )


def full_size_masks(low_res_logits: Tensor, size: ImageSize) -> Tensor:
    """Cut the upsampled logits at 0.

    Args:
        low_res_logits: (M, h, w) float32.
        size: of the original image.

    Returns:
        (M, H, W) bool on the same device.
    """
    logits = interpolate(
        low_res_logits[None].float(),
        (size.height, size.width),
        mode="bilinear",
        align_corners=False,
    )
    return logits[0] > 0.0


def resize_mask_input(logits: NDArray[np.float32], low_res_size: int) -> NDArray[np.float32]:
    """A mask input at the size that the model reads; another member's logits are resized.

    Args:
        logits: (h, w) float, of any precision.
        low_res_size: side of the result in pixels.
    """
    logits = logits.astype(np.float32, copy=False)
    if logits.shape == (low_res_size, low_res_size):
        return logits
    tensor = torch.from_numpy(np.ascontiguousarray(logits))[None, None]
    resized = interpolate(
        tensor, (low_res_size, low_res_size), mode="bilinear", align_corners=False, antialias=True
    )
    result: NDArray[np.float32] = resized[0, 0].numpy()
    return result
