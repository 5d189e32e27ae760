"""The UncertainSAM heads: what may be wrong with a mask, read from two tokens of the decoder.

All heads are one computation, for any number of rows: three batched matrix products.

Source: UncertainSAM, Kaiser et al. (ICML 2025, arXiv 2505.05049), section 4.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from suresam.errors import CheckpointError
from suresam.segmentation.tensor_files import read_header, read_safetensors, write_safetensors
from suresam.uncertainty.head_info import GAPS, HeadInfo, Tokens

PARAMETERS = tuple(f"layers.{i}.{kind}" for i in range(3) for kind in ("weight", "bias"))
"""Tensors of a head, as published; a head file stacks them over the heads."""

_BLOCK = 2048
"""Rows that are scored at a time; a server has fewer, an evaluation may have a million."""


class UsamHeads:
    """A set of heads on one device, float32 whatever the decoder computes in.

    Args:
        info: what the heads are.
        weights: stacked over H heads in the order of `info.names`: by the names of `PARAMETERS`
            (H, D, 2 C), (H, D), (H, E, D), (H, E), (H, 1, E), (H, 1); C is the decoder's width.

    Raises:
        CheckpointError: weights are missing, unknown, misshapen or not finite, or read a token
            that the heads say they do not.
    """

    def __init__(self, info: HeadInfo, weights: Mapping[str, Tensor]) -> None:
        self.info = info
        self.weights = {name: value.float() for name, value in weights.items()}
        _check(info, self.weights)
        offset = torch.tensor([0.5 if name in GAPS else 0.0 for name in info.names])
        self._offset = offset.to(self.weights[PARAMETERS[0]].device)

    @property
    def token_width(self) -> int:
        """Width C of the decoder whose tokens they read."""
        return self.weights[PARAMETERS[0]].shape[2] // 2

    def to(self, device: torch.device | str) -> "UsamHeads":
        """The same heads on another device."""
        return UsamHeads(self.info, {k: v.to(device) for k, v in self.weights.items()})

    @torch.no_grad()
    def score(self, iou_token: Tensor, mask_tokens: Tensor) -> Tensor:
        """All heads of the masks of all decoder tokens.

        Args:
            iou_token: (B, C).
            mask_tokens: (B, T, C), those of decoder tokens 0 to T - 1.

        Returns:
            (B, T, H) float32, for the mask that each token made: IoUs in (0, 1), gaps in
            (-0.5, 0.5). Tokens that are not finite give NaN.
        """
        if self.info.pairing == "one_before":
            # For each token the one before it; token 0 stands for itself.
            mask_tokens = torch.cat([mask_tokens[:, :1], mask_tokens[:, :-1]], 1)
        blocks = zip(torch.split(iou_token, _BLOCK), torch.split(mask_tokens, _BLOCK), strict=True)
        return torch.cat([self._score_block(*block) for block in blocks])

    def _score_block(self, iou_token: Tensor, mask_tokens: Tensor) -> Tensor:
        num_rows, num_tokens, _ = mask_tokens.shape
        repeated = iou_token[:, None].expand(-1, num_tokens, -1)
        pairs = torch.cat([repeated, mask_tokens], 2).flatten(0, 1)
        return self.score_pairs(pairs).view(num_rows, num_tokens, -1)

    def score_pairs(self, pairs: Tensor) -> Tensor:
        """All heads of (N, 2 C) IoU token and mask token, side by side: (N, H) float32."""
        with torch.autocast(pairs.device.type, enabled=False):
            values = pairs.float().expand(len(self.info.names), -1, -1)
            for i in range(3):
                weight, bias = (self.weights[f"layers.{i}.{kind}"] for kind in ("weight", "bias"))
                values = torch.baddbmm(bias[:, None], values, weight.transpose(1, 2))
                if i < 2:
                    values = values.relu()
            return values[..., 0].T.sigmoid() - self._offset


def absent_columns(tokens: Tokens, width: int) -> slice:
    """Which of the 2 C inputs of heads belong to no token that they read.

    Args:
        tokens: that they read.
        width: C, of one token.
    """
    return {"both": slice(0), "iou": slice(width, None), "mask": slice(width)}[tokens]


def first_weights(
    num_heads: int, width: int, hidden: int | None, generator: torch.Generator
) -> dict[str, Tensor]:
    """Random weights for `UsamHeads`: He's initialisation for every head, biases zero.

    Args:
        num_heads: H.
        width: of the input, 2 C.
        hidden: width of both hidden layers; None for that of the input, as published.
        generator: source of the weights.
    """
    inner = hidden or width
    weights: dict[str, Tensor] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise((width, inner, inner, 1))):
        scale = (2.0 / fan_in) ** 0.5
        shape = (num_heads, fan_out, fan_in)
        weights[f"layers.{i}.weight"] = scale * torch.randn(shape, generator=generator)
        weights[f"layers.{i}.bias"] = torch.zeros(num_heads, fan_out)
    return weights


def save_heads(heads: UsamHeads, path: Path) -> None:
    """Write a head file: safetensors, all or nothing, with `HeadInfo` in its header."""
    write_safetensors(heads.weights, path, heads.info.to_header())


def load_heads(path: Path) -> UsamHeads:
    """Read a head file.

    Raises:
        CheckpointError: it is missing, damaged, or its tensors do not fit its header.
    """
    try:
        return UsamHeads(HeadInfo.from_header(read_header(path)), read_safetensors(path))
    except CheckpointError as error:
        told = str(error)
        raise CheckpointError(told if str(path) in told else f"{path}: {told}") from error


def _check(info: HeadInfo, weights: Mapping[str, Tensor]) -> None:
    absent = [name for name in PARAMETERS if name not in weights]
    unknown = sorted(set(weights) - set(PARAMETERS))
    if absent or unknown:
        raise CheckpointError(
            f"heads lack {', '.join(absent) or 'nothing'}, "
            f"and hold unknown {', '.join(unknown) or 'nothing'}"
        )
    first, second = weights["layers.0.weight"], weights["layers.1.weight"]
    num_heads = len(info.names)
    if first.ndim != 3 or second.ndim != 3 or first.shape[2] % 2:
        raise CheckpointError(
            f"weights of the heads are {tuple(first.shape)} and {tuple(second.shape)}; they must "
            f"be (heads, out, in) with an even number of inputs"
        )
    hidden, inner = first.shape[1], second.shape[1]
    wanted = (
        (num_heads, hidden, first.shape[2]), (num_heads, hidden), (num_heads, inner, hidden),
        (num_heads, inner), (num_heads, 1, inner), (num_heads, 1),
    )  # fmt: skip
    for name, shape in zip(PARAMETERS, wanted, strict=True):
        if weights[name].shape != shape:
            raise CheckpointError(
                f"{name} of the heads is {tuple(weights[name].shape)}, not {shape} "
                f"({num_heads} heads: {', '.join(info.names)})"
            )
        if not weights[name].isfinite().all():
            raise CheckpointError(f"{name} of the heads is not finite")
    if first[..., absent_columns(info.tokens, first.shape[2] // 2)].any():
        raise CheckpointError(
            f"the heads are said to read the {info.tokens} token alone, and layers.0.weight reads "
            f"the other one, too"
        )
