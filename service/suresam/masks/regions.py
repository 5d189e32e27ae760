"""Connected regions of a mask: dropping specks and closing pinholes."""

import cv2
import numpy as np
from numpy.typing import NDArray


def remove_small_regions(mask: NDArray[np.bool_], min_area: int) -> NDArray[np.bool_]:
    """Fill holes and then remove islands of fewer than `min_area` pixels.

    Islands hang together by edges and corners (8 neighbours), holes by edges only (4): so a
    diagonal line divides the plane, as it does to the eye. A hole is enclosed; background that
    reaches the image's border is none. Holes go first, so that a ring keeps its place by the
    area it encloses, as in SAM's automatic mask generator. Unlike there, nothing is left if every
    island is small.

    Args:
        mask: (H, W) bool; not changed.
        min_area: pixels; 0 and 1 leave the mask as it is.

    Returns:
        (H, W) bool; `mask` itself if there was nothing to do.
    """
    if min_area <= 1:  # before anything looks at the pixels: most requests end here
        return mask
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if width == 0:
        return mask
    inside = mask[top : top + height, left : left + width]
    cleaned = np.zeros_like(mask)
    filled = inside | _small_components(~inside, min_area, connectivity=4, enclosed=True)
    specks = _small_components(filled, min_area, connectivity=8, enclosed=False)
    cleaned[top : top + height, left : left + width] = filled & ~specks
    return cleaned


def _small_components(
    mask: NDArray[np.bool_], min_area: int, *, connectivity: int, enclosed: bool
) -> NDArray[np.bool_]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S
    )
    is_small = stats[:, cv2.CC_STAT_AREA] < min_area
    is_small[0] = False  # label 0 is all that lies outside the mask
    if enclosed:
        height, width = mask.shape
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right = left + stats[:, cv2.CC_STAT_WIDTH]
        bottom = top + stats[:, cv2.CC_STAT_HEIGHT]
        is_small &= (left > 0) & (top > 0) & (right < width) & (bottom < height)
    return is_small[labels] if is_small.any() else np.zeros_like(mask)


def border_distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of every inside pixel to the nearest outside one; the picture's rim is outside."""
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    # Not np.pad, which takes longer than all the rest on maps as small as the decoder's.
    padded = cv2.copyMakeBorder(pixels, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
