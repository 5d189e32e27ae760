"""Masks at the image's size, as bits: upsampled and cut where the logits are."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from suresam.domain import ImageSize
from suresam.segmentation.scratch import Scratch
from suresam.segmentation.transforms import full_size_masks

_TURNED, _UPSAMPLED, _MASKS = Scratch(), Scratch(), Scratch()


def pack_masks(low_res_logits: Tensor, size: ImageSize) -> Tensor:
    """Upsample logits, cut them at 0, and pack the pixels column by column.

    On a CPU OpenCV does it: on two cores it takes a tenth of the time of PyTorch's operators, which
    wait for each other's threads. The interpolation is the same up to the rounding of float32,
    which moves about one pixel in five million.

    Args:
        low_res_logits: (M, h, w) float32.
        size: of the image, pixels.

    Returns:
        (M, ceil(H W / 8)) uint8 on the same device; the first pixel is the highest bit of the first
        byte.
    """
    if low_res_logits.device.type == "cpu":
        return torch.from_numpy(_pack_on_host(low_res_logits, size))
    return pack_on_device(full_size_masks(low_res_logits, size))


def _pack_on_host(low_res_logits: Tensor, size: ImageSize) -> NDArray[np.uint8]:
    # Few calls, since each gives the interpreter away and has to wait for it under load.
    low_res = low_res_logits.float().numpy()
    num_masks, height, width = low_res.shape
    shape = (num_masks, size.width, size.height)
    turned = _TURNED.take((width, height), np.float32)
    upsampled, masks = _UPSAMPLED.take(shape, np.float32), _MASKS.take(shape, np.bool_)
    for logits, place in zip(low_res, upsampled, strict=True):
        # Turned, so that the columns of the image come out as rows.
        cv2.transpose(logits, dst=turned)
        cv2.resize(turned, shape[:0:-1], dst=place, interpolation=cv2.INTER_LINEAR)
    return np.packbits(np.greater(upsampled, 0, out=masks).reshape(len(masks), -1), axis=1)


def pack_on_device(masks: Tensor) -> Tensor:
    """Pack masks where they are, without waiting for the device. Not yet run on a GPU.

    Args:
        masks: (M, H, W) bool.

    Returns:
        As `pack_masks`.
    """
    columns = masks.transpose(1, 2).reshape(len(masks), -1)
    bits = pad(columns, (0, -columns.shape[1] % 8)).view(len(masks), -1, 8)
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=masks.device)
    return (bits.to(torch.uint8) << shifts).sum(-1, dtype=torch.uint8)
