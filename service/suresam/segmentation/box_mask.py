"""A box drawn as a mask input: how families that draw them receive their boxes.

This departs from the official path, which tells the decoder only the two corners. A small
model learns boxes far better when it also sees the rectangle (held-out IoU 0.59 against 0.32
after the same short training), so a family declares in its manifest that it was trained so,
and every other family gets the corners alone.
"""

import torch
from torch import Tensor

BOX_LOGIT = 4.0
"""Logit inside the drawn box; outside it is the negative of this."""


def draw_box_mask(box_xyxy_in_input_pixels: Tensor, input_size: int, low_res_size: int) -> Tensor:
    """Mask logits that are +4 inside a box and -4 outside it.

    A low-resolution pixel is inside if its centre lies in the box (borders included). A side
    shorter than a pixel keeps the pixel that holds its middle, so that no box draws nothing.

    Args:
        box_xyxy_in_input_pixels: (B, 4) float, corners x1, y1, x2, y2 with x1 <= x2 and
            y1 <= y2, in pixels of the model's input (x / width * input_size).
        input_size: side of the model's square input in pixels.
        low_res_size: side of the mask input in pixels, a quarter of the input size.

    Returns:
        (B, 1, low_res_size, low_res_size) float32 on the device of the boxes, values +-4.
    """
    box = box_xyxy_in_input_pixels.float()
    index = torch.arange(low_res_size, device=box.device)
    pixel = input_size / low_res_size
    centres = (index.float() + 0.5) * pixel

    def covered(low: Tensor, high: Tensor) -> Tensor:
        middle = ((low + high) / (2 * pixel)).long().clamp(0, low_res_size - 1)
        within = (centres >= low[:, None]) & (centres <= high[:, None])
        return within | (index == middle[:, None])

    columns = covered(box[:, 0], box[:, 2])
    rows = covered(box[:, 1], box[:, 3])
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    return torch.where(inside, BOX_LOGIT, -BOX_LOGIT).float()
