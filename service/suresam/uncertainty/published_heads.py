"""The heads as UncertainSAM publishes them: a folder of `<head>/model.pth`.

They come without a licence, so none are in this repository; `suresam models import-heads` stores
the user's own copy as one file.
"""

from pathlib import Path

import torch
from torch import Tensor

from suresam.errors import CheckpointError
from suresam.segmentation.tensor_files import are_tensors, read_pickled
from suresam.uncertainty.head_info import HeadInfo
from suresam.uncertainty.heads import PARAMETERS, UsamHeads

_CHECKPOINTS = {"sam2.0": "sam2_hiera", "sam2.1": "sam2.1_hiera"}
PUBLISHED_FAMILIES = tuple(_CHECKPOINTS)
"""Families that heads were published for; the folder of each is called so."""

_SIZES = ("tiny", "small", "base_plus", "large")
_FILE = "model.pth"


def published_info(family: str) -> HeadInfo:
    """What the published heads of a family are: nine, one IoU head for each of its four sizes.

    They read the token before the one that made the mask, and saw one click at the centre.

    Raises:
        CheckpointError: there are none for this family.
    """
    if family not in _CHECKPOINTS:
        raise CheckpointError(
            f"no heads are published for family {family!r}, only for "
            f"{' and '.join(PUBLISHED_FAMILIES)}"
        )
    return HeadInfo(
        models={f"{_CHECKPOINTS[family]}_{size}": f"iou_{size}" for size in _SIZES},
        pairing="one_before",
        targets="best_mask",
        prompts=("one_click",),
        source="github.com/GreenAutoML4FAS/UncertainSAM, models/mlps",
        licence="none stated",
    )


def read_published_heads(folder: Path, family: str) -> UsamHeads:
    """Read `<head>/model.pth` of every head.

    Raises:
        CheckpointError: heads are missing, unknown, damaged or misshapen; the message names them.
    """
    info = published_info(family)
    if not folder.is_dir():
        raise CheckpointError(f"no folder {folder}")
    found = {path.parent.name for path in folder.glob(f"*/{_FILE}")}
    missing = [name for name in info.names if name not in found]
    unknown = sorted(found - set(info.names))
    if missing or unknown:
        told = [f"lacks {', '.join(missing)}"] if missing else []
        told += [f"holds unknown {', '.join(unknown)}"] if unknown else []
        raise CheckpointError(f"{folder} {' and '.join(told)} (each head is <head>/{_FILE})")
    heads = {name: _read(folder / name / _FILE) for name in info.names}
    _check_alike(folder, heads)
    stacked = {p: torch.stack([head[p] for head in heads.values()]) for p in PARAMETERS}
    return UsamHeads(info, stacked)


def _read(path: Path) -> dict[str, Tensor]:
    content = read_pickled(path)
    if not are_tensors(content) or set(content) != set(PARAMETERS):
        raise CheckpointError(
            f"{path} is no head: it must hold {', '.join(PARAMETERS)} and no more"
        )
    head: dict[str, Tensor] = content
    return head


def _check_alike(folder: Path, heads: dict[str, dict[str, Tensor]]) -> None:
    """All heads have the shapes that most of them have, or the odd ones are named."""
    for parameter in PARAMETERS:
        shapes = {name: tuple(head[parameter].shape) for name, head in heads.items()}
        counted = list(shapes.values())
        usual = max(counted, key=counted.count)
        odd = [f"{name} {shape}" for name, shape in shapes.items() if shape != usual]
        if odd:
            raise CheckpointError(
                f"{parameter} of the heads in {folder} differ in shape: {', '.join(odd)}, the "
                f"others {usual}"
            )
