"""The image model as training runs it: several prompts an image, at a size that may change."""

from dataclasses import dataclass

import torch
from torch import Tensor

from suresam.segmentation.architecture import BACKBONE_STRIDE, ImageModel
from suresam.segmentation.box_mask import draw_box_mask
from suresam.segmentation.transforms import LOGIT_BOUND


@dataclass(frozen=True, slots=True)
class Features:
    """What the encoder made of B images.

    Attributes:
        fine: (B, C, S/4, S/4), the pyramid's finest level, for the contrastive loss.
        coarse: (B, C, S/16, S/16), the image embedding.
        high_res: (B, C/8, S/4, S/4) and (B, C/4, S/8, S/8), for the decoder.
    """

    fine: Tensor
    coarse: Tensor
    high_res: tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Decoded:
    """R answered prompts: `logits` (R, 4, h, w) and `predicted_iou` (R, 4), tokens 0 to 3."""

    logits: Tensor
    predicted_iou: Tensor


def set_input_size(model: ImageModel, size: int) -> None:
    """Let the model take images of another size (a multiple of 128 px); weights stay as they are.

    Upstream's prompt encoder holds the size in plain attributes and nothing else depends on it.
    """
    encoder = model.sam_prompt_encoder
    cells = size // BACKBONE_STRIDE
    encoder.input_image_size = (size, size)
    encoder.image_embedding_size = (cells, cells)
    encoder.mask_input_size = (4 * cells, 4 * cells)


def encode(model: ImageModel, pixels: Tensor) -> Features:
    """As `ImageModel.forward_image`, and the pyramid's finest level with it."""
    fine, middle, coarse = model.image_encoder(pixels)["backbone_fpn"]
    decoder = model.sam_mask_decoder
    embedding = coarse + model.no_mem_embed.view(1, -1, 1, 1)
    return Features(fine, embedding, (decoder.conv_s0(fine), decoder.conv_s1(middle)))


def decode(
    model: ImageModel,
    features: Features,
    image: Tensor,
    points: Tensor,
    labels: Tensor,
    mask_input: Tensor | None = None,
    has_mask: Tensor | None = None,
) -> Decoded:
    """Answer prompts of equal length.

    Args:
        image: (R,) int64, the image each prompt is about.
        points: (R, N, 2) float, x, y in input pixels; a box is its two corners, first.
        labels: (R, N) float: 1 object, 0 background, 2 and 3 the corners of a box.
        mask_input: (R, 1, S/4, S/4) logits, or None.
        has_mask: (R,) bool, rows that get their mask input; None for all.
    """
    prompt_encoder = model.sam_prompt_encoder
    if mask_input is not None:
        mask_input = mask_input.clamp(-LOGIT_BOUND, LOGIT_BOUND)
    sparse, dense = prompt_encoder(points=(points, labels), boxes=None, masks=mask_input)
    if mask_input is not None and has_mask is not None:
        without = prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = torch.where(has_mask[:, None, None, None], dense, without)
    logits, predicted_iou, _, _ = model.sam_mask_decoder.predict_masks(
        image_embeddings=features.coarse[image],
        image_pe=prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=False,
        high_res_features=[level[image] for level in features.high_res],
    )
    return Decoded(logits.float(), predicted_iou.float())


def image_of_rows(prompts: Tensor) -> Tensor:
    """The image of every row of prompts (B, P, ...) once they are flattened: (B P,) int64."""
    count, each = prompts.shape[:2]
    return torch.arange(count, device=prompts.device).repeat_interleave(each)


def box_prompt(model: ImageModel, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (R, 4) xyxy in input pixels as points (R, 2, 2), labels (R, 2) and drawn mask."""
    encoder = model.sam_prompt_encoder
    size, low_res = encoder.input_image_size[0], encoder.mask_input_size[0]
    labels = boxes.new_tensor([2.0, 3.0]).expand(len(boxes), 2)
    return boxes.reshape(-1, 2, 2), labels, draw_box_mask(boxes, size, low_res)
