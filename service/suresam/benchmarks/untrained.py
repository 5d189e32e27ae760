"""Models and heads at random weights, where only their speed matters."""

import torch

from suresam.segmentation.manifests import ModelManifest
from suresam.segmentation.sam2 import Sam2Backbone
from suresam.uncertainty.head_info import HeadInfo
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads, first_weights
from suresam.uncertainty.member_heads import MemberHeads

_NUM_HEADS = 9


def untrained_member(manifest: ModelManifest, device: str) -> tuple[Sam2Backbone, MemberHeads]:
    """A model of a manifest's architecture, and nine heads as wide as the published ones.

    Args:
        manifest: whose weights need not be here.
        device: "cpu" or "cuda".
    """
    torch.manual_seed(0)
    backbone = Sam2Backbone(manifest.name, manifest.architecture.build(), device, box=manifest.box)
    others = (f"iou_{number}" for number in range(_NUM_HEADS - 6))
    info = HeadInfo(
        models={manifest.name: "iou_own", **{name: name for name in others}},
        pairing="maker",
        targets="every_mask",
        prompts=("one_click",),
        source="random weights",
        licence="none",
    )
    width, generator = 2 * manifest.architecture.d_model, torch.Generator().manual_seed(0)
    weights = first_weights(_NUM_HEADS, width, None, generator)
    heads = UsamHeads(info, weights).to(device)
    return backbone, MemberHeads(
        "untrained", "", heads, HeadReading(info, manifest.name, manifest.name)
    )
