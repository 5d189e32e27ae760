"""The shape of a SAM 2 image model: every tensor size follows from an `Architecture`."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.prompt_encoder import PromptEncoder
from sam2.modeling.sam.transformer import TwoWayTransformer
from torch import Tensor, nn

from suresam.errors import ConfigurationError

BACKBONE_STRIDE = 16
"""Input pixels per cell of the image embedding, in every SAM 2 model."""

NUM_MASK_TOKENS = 4
"""Decoder tokens that make a mask: 0 for a single mask, 1 to 3 for the three candidates."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of one SAM 2 image model. The defaults are those that all official models share.

    Attributes:
        input_size: side of the square input in pixels; a multiple of 128.
        embed_dim: trunk channels of the first stage; they double at each of the three later ones.
        num_heads: attention heads of the first stage; they double likewise.
        stages: transformer blocks of each of the four stages.
        global_att_blocks: indices of the blocks that attend to the whole map.
        window_spec: window side of each stage, in cells of that stage.
        window_pos_embed_bkg_spatial_size: side lengths of the learned background position map.
        d_model: width of the neck, the prompt encoder and the decoder.
        fpn_top_down_levels: pyramid levels that receive the coarser level's features.
        decoder_depth, decoder_num_heads, decoder_mlp_dim: the two-way transformer.
        iou_head_hidden_dim: width of the predicted-IoU head.

    Source: Ravi et al. (2024), "SAM 2", and the configurations of the `sam2` package.
    """

    input_size: int = 1024
    embed_dim: int = 96
    num_heads: int = 1
    stages: tuple[int, ...] = (1, 2, 7, 2)
    global_att_blocks: tuple[int, ...] = (5, 7, 9)
    window_spec: tuple[int, ...] = (8, 4, 14, 7)
    window_pos_embed_bkg_spatial_size: tuple[int, ...] = (7, 7)
    d_model: int = 256
    fpn_top_down_levels: tuple[int, ...] = (2, 3)
    decoder_depth: int = 2
    decoder_num_heads: int = 8
    decoder_mlp_dim: int = 2048
    iou_head_hidden_dim: int = 256

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Architecture":
        """Read what a manifest says; absent fields keep the official value.

        Raises:
            ConfigurationError: for a field that no architecture has.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigurationError(f"unknown architecture fields: {', '.join(unknown)}")
        converted: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**converted)

    def to_dict(self) -> dict[str, Any]:
        """The same values as JSON would hold them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @property
    def embedding_size(self) -> int:
        """Side of the image embedding in cells."""
        return self.input_size // BACKBONE_STRIDE

    @property
    def low_res_size(self) -> int:
        """Side of the low-resolution mask logits, and of a mask input, in pixels."""
        return 4 * self.embedding_size

    @property
    def embedding_values(self) -> int:
        """Numbers in one image's embedding with its two high-resolution maps."""
        cells = self.embedding_size**2
        return cells * (self.d_model + 4 * (self.d_model // 4) + 16 * (self.d_model // 8))

    def build(self) -> "ImageModel":
        """The model with upstream's initial weights, on the CPU, in training mode."""
        return ImageModel(self)


class ImageModel(nn.Module):
    """The parts of SAM 2 that one still image needs, named as in official checkpoints.

    Upstream's modules are used unchanged. They are put together here rather than by
    upstream's `SAM2Base` because that fixes the decoder's size (8 heads, MLP 2048), which
    the small bundled models do not have, and brings the video path's parameters along.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        trunk = Hiera(
            embed_dim=a.embed_dim,
            num_heads=a.num_heads,
            stages=a.stages,
            global_att_blocks=a.global_att_blocks,
            window_spec=a.window_spec,
            window_pos_embed_bkg_spatial_size=tuple(a.window_pos_embed_bkg_spatial_size),
        )
        neck = FpnNeck(
            # The neck's sine positions are read by the video path alone.
            position_encoding=nn.Identity(),
            d_model=a.d_model,
            backbone_channel_list=trunk.channel_list,
            fpn_top_down_levels=list(a.fpn_top_down_levels),
            fpn_interp_model="nearest",
        )
        self.image_encoder = ImageEncoder(trunk=trunk, neck=neck, scalp=1)
        self.sam_prompt_encoder = PromptEncoder(
            embed_dim=a.d_model,
            image_embedding_size=(a.embedding_size, a.embedding_size),
            input_image_size=(a.input_size, a.input_size),
            mask_in_chans=16,
        )
        self.sam_mask_decoder = MaskDecoder(
            num_multimask_outputs=NUM_MASK_TOKENS - 1,
            transformer=TwoWayTransformer(
                depth=a.decoder_depth,
                embedding_dim=a.d_model,
                num_heads=a.decoder_num_heads,
                mlp_dim=a.decoder_mlp_dim,
            ),
            transformer_dim=a.d_model,
            iou_head_depth=3,
            iou_head_hidden_dim=a.iou_head_hidden_dim,
            use_high_res_features=True,
            iou_prediction_use_sigmoid=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            use_multimask_token_for_obj_ptr=True,
        )
        self.no_mem_embed = nn.Parameter(torch.zeros(1, 1, a.d_model))

    def forward_image(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode normalised images.

        Args:
            pixels: (B, 3, S, S) float, normalised with the ImageNet mean and deviation.

        Returns:
            image_embed (B, C, S/16, S/16), and the high-resolution features
            (B, C/8, S/4, S/4) and (B, C/4, S/8, S/8).

        Source: upstream's `SAM2Base.forward_image` and the image branch of
        `SAM2ImagePredictor.set_image` (a still image counts as "no memory").
        """
        fine, middle, coarse = self.image_encoder(pixels)["backbone_fpn"]
        image_embed = coarse + self.no_mem_embed.view(1, -1, 1, 1)
        decoder = self.sam_mask_decoder
        return image_embed, decoder.conv_s0(fine), decoder.conv_s1(middle)
