"""Pieces of a mask that have nothing to do with what was asked for."""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus


def island_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of every mask's islands, relative to the size of the mask and its target.

    An island is a connected piece of a mask (cut at logit 0, eight neighbours) that holds no pixel
    of the target, not even in part: a look-alike elsewhere in the picture. The other losses charge
    its pixels as they charge a border that is drawn a little too wide; a person does not.

    Args:
        logits: (R, M, h, w) float, unbounded.
        truth: (R, h, w) float in [0, 1], the share of each pixel inside.

    Returns:
        (R, M) float, at least 0; 0 for a mask without islands.
    """
    masks = (logits.detach() > 0).cpu().numpy()
    targets = (truth > 0).cpu().numpy()
    found = [[islands(m, target) for m in row] for row, target in zip(masks, targets, strict=True)]
    where = torch.from_numpy(np.array(found)).to(logits.device)
    size = (logits.detach() > 0).sum((-2, -1)) + truth.sum((-2, -1))[:, None]
    return (softplus(logits) * where).sum((-2, -1)) / size.clamp(min=1)


def islands(mask: NDArray[np.bool_], target: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of a mask that do not touch the target, (h, w) each."""
    count, pieces = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    is_island = np.ones(count, np.bool_)
    is_island[pieces[target]] = False
    is_island[0] = False  # what lies outside the mask
    result: NDArray[Any] = is_island[pieces]
    return result
