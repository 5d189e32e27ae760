"""A caller's prompt in image pixels, as the row that a model decodes."""

import numpy as np
import torch
from numpy.typing import NDArray

from suresam.domain import ImageSize, Prompt
from suresam.segmentation.backbone import BOX_LABELS, Backbone, DecodeRow, ImageEmbedding
from suresam.segmentation.box_mask import draw_box_mask
from suresam.segmentation.transforms import resize_mask_input


def prompt_row(
    prompt: Prompt, size: ImageSize, embedding: ImageEmbedding, backbone: Backbone
) -> DecodeRow:
    """Scale a prompt to the model's pixels; a box becomes two points before the others.

    Width and height scale separately, as the image itself does. A checkpoint trained so also
    gets the box drawn as mask input, unless the caller sends a mask input.

    Source: `SAM2ImagePredictor._prep_prompts` and `_predict` of the `sam2` package.
    """
    corners = () if prompt.box is None else (prompt.box[:2], prompt.box[2:])
    labels = (() if prompt.box is None else BOX_LABELS) + prompt.point_labels
    extent = np.asarray([size.width, size.height], dtype=np.float32)
    points: NDArray[np.float32] = np.asarray([*corners, *prompt.points], dtype=np.float32)
    points = (points / extent * np.float32(backbone.input_size)).astype(np.float32)
    mask_input: NDArray[np.float32] | None = None
    if prompt.mask_input is not None:
        mask_input = resize_mask_input(prompt.mask_input, backbone.low_res_size)
    elif prompt.box is not None and backbone.box.as_mask_input:
        box = torch.from_numpy(points[:2].reshape(1, 4))
        mask_input = draw_box_mask(box, backbone.input_size, backbone.low_res_size)[0, 0].numpy()
    return DecodeRow(embedding, points, np.asarray(labels, dtype=np.int32), mask_input, prompt.kind)
