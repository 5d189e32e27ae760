"""Upstream's `SAM2ImagePredictor`, made importable beside a CPU build of torch."""

import contextlib

import torch
from hydra import compose
from hydra.utils import instantiate
from omegaconf import OmegaConf

with contextlib.suppress(RuntimeError):  # a torchvision with its operators has them already
    # Kept referenced: the operators live as long as the library.
    LIBRARY = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from sam2.sam2_image_predictor import SAM2ImagePredictor

from suresam.segmentation.architecture import ImageModel

STABILITY_RULE = (
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_via_stability=true",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_delta=0.05",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_thresh=0.98",
)


def build_official(config: str, seed: int = 0) -> torch.nn.Module:
    """Upstream's whole model with random weights, as `build_sam2` makes it."""
    torch.manual_seed(seed)
    parsed = compose(config_name=config, overrides=list(STABILITY_RULE))
    OmegaConf.resolve(parsed)
    return instantiate(parsed.model, _recursive_=True).eval()


class UpstreamOfOurs(torch.nn.Module):
    """One of our models with the few members that upstream's predictor asks for."""

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.image_size = model.architecture.input_size
        self.image_encoder = model.image_encoder
        self.sam_prompt_encoder = model.sam_prompt_encoder
        self.sam_mask_decoder = model.sam_mask_decoder
        self.no_mem_embed = model.no_mem_embed
        self.directly_add_no_mem_embed = True
        self.sizes = [model.architecture.input_size // stride for stride in (4, 8, 16)]

    @property
    def device(self) -> torch.device:
        return self.no_mem_embed.device

    def forward_image(self, pixels: torch.Tensor) -> dict[str, object]:
        features = self.image_encoder(pixels)
        fpn = features["backbone_fpn"]
        fpn[0] = self.sam_mask_decoder.conv_s0(fpn[0])
        fpn[1] = self.sam_mask_decoder.conv_s1(fpn[1])
        return features

    def _prepare_backbone_features(self, features: dict[str, object]) -> tuple[object, ...]:
        maps = features["backbone_fpn"]
        flat = [level.flatten(2).permute(2, 0, 1) for level in maps]
        return features, flat, None, self.sizes


def predictor_of_ours(model: ImageModel) -> SAM2ImagePredictor:
    """Upstream's predictor round one of our models."""
    predictor = SAM2ImagePredictor(UpstreamOfOurs(model))
    # Fixed for 1024 px upstream; its views are silently wrong at any other size.
    predictor._bb_feat_sizes = [(size, size) for size in predictor.model.sizes]
    return predictor
