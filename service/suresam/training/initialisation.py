"""Starting the mask decoder where it can learn: every prompt finds its own place in the image.

With upstream's initial weights the first cross-attention of a point spreads over the whole
image (14 % of its weight in the 3x3 cells round the click, 12 % by chance), so nothing in the
decoder knows where the click was and training stays on a plateau. Here the channels are
divided once: one half carries image features, the other the positional code of highest
frequency. Attention between tokens and image compares positions and copies features; the
masks start as "pixels that resemble the one under the prompt".
"""

import math
from typing import Any

import torch
from torch import Tensor

from suresam.segmentation.architecture import ImageModel

_FEATURE_NORM = 4.0
_PEAK_LOGIT = 18.0
"""Attention logit of a token to the cell at its own place; unrelated cells have about 0."""


@torch.no_grad()
def align_decoder(model: ImageModel, pixels: Tensor, generator: torch.Generator) -> None:
    """Set the decoder's weights, and rotate the encoder's output to suit.

    The rotation keeps the cosines of the pyramid's features up to the components that carry
    least, so what the contrastive stage learned stays.

    Args:
        pixels: (B, 3, S, S) float, normalised example images; B * (S / 16)^2 of at least
            the model's width.
        generator: source of the small random parts, on the CPU.
    """
    layout = _Layout(model)
    _rotate_pyramid(model, layout, pixels)
    _set_tokens(model, layout, generator)
    transformer: Any = model.sam_mask_decoder.transformer
    for index, layer in enumerate(transformer.layers):
        _gather_prompts(layer.self_attn, layout, share=1.0 if index == 0 else 0.5)
        _look_at_own_place(layer.cross_attn_token_to_image, layout, share=1.0)
        _look_at_own_place(layer.cross_attn_image_to_token, layout, share=0.3)
        layer.norm4.weight.fill_(_FEATURE_NORM / math.sqrt(layout.width))
        layer.mlp.layers[-1].weight.mul_(0.5)
    _look_at_own_place(transformer.final_attn_token_to_image, layout, share=1.0)
    _compare_features(model, layout, generator)


class _Layout:
    """Which channels carry what.

    Attributes:
        width: channels in all, d.
        position: (d/2,) channels of the highest frequencies, sine and cosine side by side.
        feature: (d/2,) the other channels; the last is the marker.
        marker: a channel whose positional code is nearly constant: it tells prompts from
            the decoder's own tokens.
    """

    def __init__(self, model: ImageModel) -> None:
        matrix: Tensor = model.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
        num_frequencies = matrix.shape[1]
        self.width = 2 * num_frequencies
        order = matrix.norm(dim=0).argsort(descending=True)
        fast, slow = order[: num_frequencies // 2], order[num_frequencies // 2 :]
        self.position = torch.stack([fast, fast + num_frequencies], dim=1).flatten()
        self.marker = int(slow[-1]) + num_frequencies
        others = torch.cat([slow, slow[:-1] + num_frequencies])
        self.feature = torch.cat([others, torch.tensor([self.marker], device=others.device)])


def _rotate_pyramid(model: ImageModel, layout: _Layout, pixels: Tensor) -> None:
    neck: Any = model.image_encoder.neck
    coarse = model.image_encoder(pixels)["backbone_fpn"][2]
    cells = coarse.permute(0, 2, 3, 1).reshape(-1, layout.width).double()
    _, vectors = torch.linalg.eigh(cells.T @ cells / len(cells))
    components = vectors.flip(1).T.float()
    half = layout.width // 2
    # Components by falling energy go to the feature channels; the rest, for the finer levels
    # alone, to the positional ones.
    rotation = torch.zeros_like(components)
    rotation[layout.feature] = components[:half]
    rotation[layout.position] = components[half:]
    kept = torch.zeros(layout.width, 1, device=coarse.device)
    kept[layout.feature] = 1.0
    norm = (cells.float() @ (kept * rotation).T).norm(dim=1).mean()
    rotation *= _FEATURE_NORM / norm
    for index, lateral in enumerate(neck.convs):
        conv = lateral.conv
        # Levels 3 and 2 come first: they make the image embedding.
        turn = rotation * kept if index < 2 else rotation
        conv.weight.copy_((turn @ conv.weight[:, :, 0, 0])[:, :, None, None])
        conv.bias.copy_(turn @ conv.bias)


def _set_tokens(model: ImageModel, layout: _Layout, generator: torch.Generator) -> None:
    prompts: Any = model.sam_prompt_encoder
    decoder: Any = model.sam_mask_decoder
    free = layout.feature[:-1]

    def small(weight: Tensor, norm: float, marker: float) -> None:
        values = torch.randn(weight.shape[0], len(free), generator=generator)
        values *= norm / values.norm(dim=1, keepdim=True)
        weight.zero_()
        weight[:, free] = values.to(weight.device)
        weight[:, layout.marker] = marker

    for embedding in prompts.point_embeddings:
        small(embedding.weight, 1.0, 2.0)
    small(prompts.not_a_point_embed.weight, 1.0, -2.0)
    small(decoder.iou_token.weight, 2.0, 0.0)
    small(decoder.mask_tokens.weight, 2.0, 0.0)
    small(decoder.obj_score_token.weight, 2.0, 0.0)
    prompts.no_mask_embed.weight.zero_()
    last = prompts.mask_downscaling[-1]
    # The mask speaks through the weaker half of the feature channels.
    silent = torch.ones(layout.width, dtype=torch.bool)
    silent[layout.feature[len(layout.feature) // 2 :].cpu()] = False
    last.weight[silent.to(last.weight.device)] = 0.0
    last.bias.zero_()
    # No scene lacks the object asked for, so presence is a constant until it is trained.
    presence = decoder.pred_obj_score_head.layers[-1]
    presence.weight.zero_()
    presence.bias.fill_(5.0)


def _gather_prompts(attention: Any, layout: _Layout, share: float) -> None:
    """Half of the heads fetch the prompts' positions, the others keep a token's features."""
    width, half = layout.width, layout.width // 2
    for linear in (attention.q_proj, attention.k_proj, attention.v_proj, attention.out_proj):
        linear.weight.zero_()
        linear.bias.zero_()
    rows = torch.arange(half, device=layout.feature.device)
    # First half of the heads: a constant question, answered by the marker.
    head = width // attention.num_heads
    strength = math.sqrt(5.0 / 3.0 * math.sqrt(head))
    attention.q_proj.bias[:half:head] = strength
    attention.k_proj.weight[:half:head, layout.marker] = strength
    # Second half: a token resembles itself.
    likeness = math.sqrt(1.25 * math.sqrt(head))
    for projection in (attention.q_proj, attention.k_proj):
        projection.weight[half + rows, layout.feature] = likeness
    attention.v_proj.weight[rows, layout.position] = 1.0
    attention.v_proj.weight[half + rows, layout.feature] = 1.0
    attention.out_proj.weight[layout.position, rows] = share
    attention.out_proj.weight[layout.feature, half + rows] = share


def _look_at_own_place(attention: Any, layout: _Layout, share: float) -> None:
    """Attend by position, copy features: internal width is half of the model's."""
    half, heads = layout.width // 2, attention.num_heads
    for linear in (attention.q_proj, attention.k_proj, attention.v_proj, attention.out_proj):
        linear.weight.zero_()
        linear.bias.zero_()
    rows = torch.arange(half, device=layout.feature.device)
    # Deal the frequencies to the heads in turn, so that each head has high ones.
    pairs = layout.position.reshape(-1, 2)
    dealt = torch.cat([pairs[h::heads] for h in range(heads)]).flatten()
    per_head = half // heads
    # A token's code appears twice in its query (content and position), once in the key.
    gain = math.sqrt(_PEAK_LOGIT * math.sqrt(per_head) / (per_head / 2) / 2)
    attention.q_proj.weight[rows, dealt] = gain
    attention.k_proj.weight[rows, dealt] = gain
    attention.v_proj.weight[rows, layout.feature] = 1.0
    attention.out_proj.weight[layout.feature, rows] = share


def _compare_features(model: ImageModel, layout: _Layout, generator: torch.Generator) -> None:
    """Upscaling passes features on; hypernetworks turn a token's features into the same code."""
    decoder: Any = model.sam_mask_decoder
    quarter, eighth = layout.width // 4, layout.width // 8
    leading = layout.feature[:quarter]
    first, second = decoder.output_upscaling[0], decoder.output_upscaling[3]
    mix = torch.linalg.qr(torch.randn(quarter, quarter, generator=generator))[0][:eighth]
    mix = mix.to(leading.device)
    channel = torch.arange(quarter, device=leading.device)
    for module in (first, second, decoder.conv_s0, decoder.conv_s1):
        module.weight.zero_()
        module.bias.zero_()
    first.weight[leading, channel] = 0.5
    decoder.conv_s1.weight[channel, leading] = 0.5
    second.weight.copy_(mix.T[:, :, None, None].expand_as(second.weight))
    decoder.conv_s0.weight[:, leading] = 0.5 * mix[:, :, None, None]
    half = layout.width // 2
    for network in decoder.output_hypernetworks_mlps:
        signed = torch.zeros(layout.width, layout.width)
        rows = torch.arange(half)
        signed[rows, layout.feature.cpu()] = 1.0
        signed[half + rows, layout.feature.cpu()] = -1.0
        code = torch.zeros(eighth, layout.width)
        code[:, :quarter] = 0.5 * mix.cpu()
        code[:, half : half + quarter] = -0.5 * mix.cpu()
        for linear, weight in zip(
            network.layers, (signed, torch.eye(layout.width), code), strict=True
        ):
            noise = 0.06 * torch.randn(weight.shape, generator=generator)
            linear.weight.copy_(weight + noise)
            linear.bias.zero_()
