"""How far two masks cover the same pixels."""

from suresam.datasets import Mask


def intersection_over_union(predicted: Mask, truth: Mask) -> float:
    """IoU of two bool masks of one shape; 1 if both are empty."""
    either = int((predicted | truth).sum())
    return float((predicted & truth).sum() / either) if either else 1.0
