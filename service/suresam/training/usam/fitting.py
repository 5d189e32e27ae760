"""Teaching all heads at once by gradient descent on their squared errors."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.errors import ConfigurationError
from suresam.uncertainty.head_info import GAPS, HeadInfo
from suresam.uncertainty.heads import UsamHeads, absent_columns, first_weights

_JUDGED_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How heads are taught. What is usual was chosen on held-out pictures of 1,200 scenes: heads as
    wide as their input and hardly decayed tell the gaps of new pictures worse.

    Attributes:
        hidden: width of both hidden layers; None for that of the input, as published.
        epochs: passes over all masks.
        batch: masks a step.
        learning_rate: of AdamW, falling to zero by a cosine.
        weight_decay: of AdamW.
        seed: of first weights and order.

    Raises:
        ConfigurationError: a number that cannot be followed.
    """

    hidden: int | None = 64
    epochs: int = 20
    batch: int = 1024
    learning_rate: float = 2e-3
    weight_decay: float = 1.5
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        limits = {"hidden": self.hidden, "epochs": self.epochs, "batch": self.batch}
        for name, value in limits.items():
            if value is not None and value < 1:
                raise ConfigurationError(f"--{name} {value} must be at least 1")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ConfigurationError(f"--learning-rate {self.learning_rate:g} must be positive")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ConfigurationError(f"--weight-decay {self.weight_decay:g} must be at least 0")
        if self.seed < 0:
            raise ConfigurationError(f"--seed {self.seed} must be at least 0")


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """Masks to learn from: T of each of R answers.

    Attributes:
        iou_token: (R, C) float32.
        mask_tokens: (R, T, C) float32.
        targets: (R, T, H) float32; NaN where a head has nothing to learn.
    """

    iou_token: Tensor
    mask_tokens: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return self.targets.shape[0] * self.targets.shape[1]

    def pairs(self, numbers: Tensor) -> Tensor:
        """IoU token and mask token of some masks side by side, (N, 2 C)."""
        row, token = numbers // self.targets.shape[1], numbers % self.targets.shape[1]
        return torch.cat([self.iou_token[row], self.mask_tokens[row, token]], 1)

    def wanted(self, numbers: Tensor) -> Tensor:
        """Targets of some masks, (N, H)."""
        return self.targets.flatten(0, 1)[numbers]


def pick_masks(
    iou_token: Tensor,
    mask_tokens: Tensor,
    targets: NDArray[np.float32],
    is_wanted: NDArray[np.bool_],
) -> Masks:
    """Masks of the wanted questions, of all members and tokens.

    Args:
        iou_token: (Q, M, C).
        mask_tokens: (Q, M, T, C).
        targets: (Q, M, T, H).
        is_wanted: (Q,).
    """
    rows = torch.from_numpy(is_wanted)
    flat = torch.from_numpy(targets[is_wanted]).flatten(0, 1)
    return Masks(iou_token[rows].flatten(0, 1), mask_tokens[rows].flatten(0, 1), flat)


def fit_heads(
    info: HeadInfo,
    masks: Masks,
    options: FitOptions,
    progress: Callable[[int, float], None] = lambda epoch, loss: None,
    watch: Callable[[int, UsamHeads], None] = lambda epoch, heads: None,
) -> UsamHeads:
    """Teach a set of heads from random weights; equal seeds on one machine give equal heads.

    Args:
        info: which heads, and which of the tokens they get to see.
        masks: to learn from.
        options: see `FitOptions`.
        progress: told the epochs done and the mean squared error of the last one.
        watch: given the epochs done and the heads as they are; what it raises ends the fitting.

    Source: UncertainSAM (arXiv 2505.05049): mean squared error of the sigmoid, gaps shifted by
    one half. AdamW, shuffling and a falling rate are ours.
    """
    generator = torch.Generator().manual_seed(options.seed)
    width = masks.iou_token.shape[1]
    weights = first_weights(len(info.names), 2 * width, options.hidden, generator)
    absent = absent_columns(info.tokens, width)
    if info.tokens != "both":
        weights["layers.0.weight"] *= 2**0.5  # He's scale for the half of the inputs that is left
        weights["layers.0.weight"][..., absent] = 0
    heads = UsamHeads(info, weights)
    learned = [value.requires_grad_() for value in heads.weights.values()]
    optimizer = torch.optim.AdamW(
        learned, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    shift = _shift(info)
    steps = options.epochs * -(-len(masks) // options.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for epoch in range(options.epochs):
        order = torch.randperm(len(masks), generator=generator)
        total = torch.zeros(2, dtype=torch.float64)
        for rows in torch.split(order, options.batch):
            pairs = masks.pairs(rows)
            pairs[:, absent] = 0  # no gradient, and so the weights there stay exactly zero
            said = heads.score_pairs(pairs)
            error, is_known = _squared_errors(said, masks.wanted(rows), shift)
            loss = error.sum() / is_known.sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += torch.tensor([error.sum().item(), is_known.sum().item()])
        progress(epoch + 1, (total[0] / total[1]).item())
        watch(epoch + 1, heads)
    return UsamHeads(info, {name: value.detach() for name, value in heads.weights.items()})


@torch.no_grad()
def mean_squared_error(heads: UsamHeads, masks: Masks) -> float:
    """That of all heads together, as it is learned: where they have a target, gaps clipped."""
    shift = _shift(heads.info)
    total = torch.zeros(2, dtype=torch.float64)
    for rows in torch.split(torch.arange(len(masks)), _JUDGED_AT_ONCE):
        error, is_known = _squared_errors(
            heads.score_pairs(masks.pairs(rows)), masks.wanted(rows), shift
        )
        total += torch.stack([error.double().sum(), is_known.sum().double()])
    return (total[0] / total[1]).item()


def _shift(info: HeadInfo) -> Tensor:
    return torch.tensor([0.5 if name in GAPS else 0.0 for name in info.names])


def _squared_errors(said: Tensor, targets: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """(N, H) each: errors, 0 where nothing is known, and where something is."""
    is_known = ~targets.isnan()
    # A sigmoid cannot reach gaps beyond one half, so they are clipped as published.
    wanted = (targets.nan_to_num() + shift).clamp(0, 1) - shift
    return torch.where(is_known, (said - wanted) ** 2, 0.0), is_known
