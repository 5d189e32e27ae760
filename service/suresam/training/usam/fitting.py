"""Teaching all heads at once by gradient descent on their squared errors."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.uncertainty.head_info import GAPS, HeadInfo
from suresam.uncertainty.heads import PARAMETERS, UsamHeads


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How heads are taught.

    Attributes:
        hidden: width of both hidden layers; None for that of the input, as published.
        epochs: passes over all masks.
        batch: masks a step.
        learning_rate: of AdamW, falling to zero by a cosine.
        weight_decay: of AdamW.
        seed: of first weights and order.
    """

    hidden: int | None = None
    epochs: int = 20
    batch: int = 1024
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """N masks to learn from or to be judged on.

    Attributes:
        pairs: (N, 2 C) float32, IoU token and mask token side by side.
        targets: (N, H) float32; NaN where a head has nothing to learn.
    """

    pairs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.pairs)


def pick_masks(
    iou_token: NDArray[np.float32],
    mask_tokens: NDArray[np.float32],
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
    iou, mask = iou_token[is_wanted], mask_tokens[is_wanted]
    repeated = np.broadcast_to(iou[:, :, None], mask.shape)
    pairs = np.concatenate([repeated, mask], -1).reshape(-1, 2 * mask.shape[-1])
    flat = targets[is_wanted].reshape(len(pairs), -1)
    return Masks(torch.from_numpy(pairs), torch.from_numpy(flat))


def fit_heads(
    info: HeadInfo,
    masks: Masks,
    options: FitOptions,
    progress: Callable[[int, float], None] = lambda epoch, loss: None,
) -> UsamHeads:
    """Teach a set of heads from random weights; equal seeds on one machine give equal heads.

    Args:
        info: which heads.
        masks: to learn from.
        options: see `FitOptions`.
        progress: told the epochs done and the mean squared error of the last one.

    Source: UncertainSAM (arXiv 2505.05049): mean squared error of the sigmoid, gaps shifted by
    one half. AdamW, shuffling and a falling rate are ours.
    """
    generator = torch.Generator().manual_seed(options.seed)
    weights = _first_weights(len(info.names), masks.pairs.shape[1], options.hidden, generator)
    heads = UsamHeads(info, weights)
    learned = [value.requires_grad_() for value in heads.weights.values()]
    optimizer = torch.optim.AdamW(
        learned, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    shift = torch.tensor([0.5 if name in GAPS else 0.0 for name in info.names])
    steps = options.epochs * -(-len(masks) // options.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for epoch in range(options.epochs):
        order = torch.randperm(len(masks), generator=generator)
        total = torch.zeros(2, dtype=torch.float64)
        for rows in torch.split(order, options.batch):
            said = heads.score_pairs(masks.pairs[rows])
            error, is_known = _squared_errors(said, masks.targets[rows], shift)
            loss = error.sum() / is_known.sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += torch.tensor([error.sum().item(), is_known.sum().item()])
        progress(epoch + 1, (total[0] / total[1]).item())
    return UsamHeads(info, {name: value.detach() for name, value in heads.weights.items()})


def _squared_errors(said: Tensor, targets: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """(N, H) each: errors, 0 where nothing is known, and where something is."""
    is_known = ~targets.isnan()
    # A sigmoid cannot reach gaps beyond one half, so they are clipped as published.
    wanted = (targets.nan_to_num() + shift).clamp(0, 1) - shift
    return torch.where(is_known, (said - wanted) ** 2, 0.0), is_known


def _first_weights(
    num_heads: int, width: int, hidden: int | None, generator: torch.Generator
) -> dict[str, Tensor]:
    """He's initialisation for every head, biases zero."""
    inner = hidden or width
    sizes = (width, inner, inner, 1)
    weights: dict[str, Tensor] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        scale = (2.0 / fan_in) ** 0.5
        shape = (num_heads, fan_out, fan_in)
        weights[f"layers.{i}.weight"] = scale * torch.randn(shape, generator=generator)
        weights[f"layers.{i}.bias"] = torch.zeros(num_heads, fan_out)
    return {name: weights[name] for name in PARAMETERS}
