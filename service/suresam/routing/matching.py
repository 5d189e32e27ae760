"""Which masks of one member are those of another."""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray


def match_masks(masks: NDArray[np.uint8], others: NDArray[np.uint8]) -> tuple[int, ...]:
    """Pair two members' masks of one prompt so that the sum of their IoUs is greatest.

    Members number their candidates as they were trained, not alike. What Kuhn's Hungarian method
    (1955) finds for many masks is found here by trying all orders, of which three masks have six.

    Args:
        masks: (M, B) packed bits of the masks that a caller has seen, M at most 4.
        others: (M, B) of the same prompt, from another member.

    Returns:
        For each of `masks` the index of its partner among `others`.
    """
    assert masks.shape == others.shape, "both answered the same prompt in the same way"
    ious = np.array([[mask_iou(mask, other) for other in others] for mask in masks])
    rows = np.arange(len(masks))
    # Where all is equal the first order wins, which is the one that stands.
    return max(permutations(range(len(masks))), key=lambda order: ious[rows, list(order)].sum())


def mask_iou(mask: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """IoU of two masks in packed bits, [0, 1]; two empty ones are alike."""
    union = _count(mask | other)
    return 1.0 if union == 0 else _count(mask & other) / union


_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1).astype(np.uint8)


def _count(bits: NDArray[np.uint8]) -> int:
    return int(_BITS[bits].sum(dtype=np.int64))
