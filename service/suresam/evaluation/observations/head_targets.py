"""What each head should have said: targets of every observed mask."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.uncertainty.head_info import (
    DENSE_PROMPT,
    MODEL_GAP,
    PROMPT_GAP,
    TASK_GAP,
    UNSUPERVISED,
    HeadInfo,
)

Observed = dict[str, NDArray[Any]]
Targets = NDArray[np.float32]
"""(Q, M, T, H): question, member, decoder token, head; NaN where a head has nothing to learn."""


def head_targets(observed: Observed, info: HeadInfo, names: Sequence[str]) -> Targets:
    """The targets of every mask: of token 0 as a single mask, of 1 to 3 as one of three.

    Where three masks are wanted, a member's answer is its mask of highest predicted IoU; where
    one is, that of the token which the service would choose.

    - own IoU head: the mask's IoU; IoU head of another member: that of its answer;
    - `iou_dense_prompt`: the single mask for the same prompt with seven more foreground clicks,
      which leave no choice;
    - `iou_unsupervised`: the member's own answer;
    - `model_gap`: the last member's answer minus this mask, for masks of the first member;
    - `prompt_gap`: the answer to the dense prompt minus this mask;
    - `task_gap`: the best of the three masks minus this one.

    Args:
        observed: as `ObservationStore.read` gives it.
        info: of the heads.
        names: of the members, in the order of `observed`; heads of other models learn nothing.

    Source: UncertainSAM (arXiv 2505.05049), section 4, whose targets are of the mask that turns
    out best; a service does not know which that is, so here every mask has targets of its own.
    """
    own = observed["iou"]
    answer = np.stack([answers(observed, member) for member in range(len(names))], 1)
    dense = _at(observed["dense_iou"], observed["dense_single_token"])
    targets = np.full((*own.shape, len(info.names)), np.nan, np.float32)
    column = {name: targets[..., i] for i, name in enumerate(info.names)}
    for other, name in enumerate(names):
        for member in range(len(names)):
            said = own[:, member] if member == other else answer[:, other]
            column[info.models[name]][:, member] = said
    column[DENSE_PROMPT][:] = dense
    column[UNSUPERVISED][:] = answer
    if len(names) > 1:
        column[MODEL_GAP][:, 0] = answer[:, -1] - own[:, 0]
    column[PROMPT_GAP][:] = dense - own
    column[TASK_GAP][:] = own[..., 1:].max(-1, keepdims=True) - own
    return targets


def answers(observed: Mapping[str, NDArray[Any]], member: int) -> NDArray[Any]:
    """(Q, T) IoU of what a member answers: at token 0 to those who want one mask."""
    iou = observed["iou"][:, member]
    of_three = _at(iou, observed["predicted_iou"][:, member, 1:].argmax(-1) + 1)
    of_one = _at(iou, observed["single_token"][:, member])
    return np.concatenate([of_one, of_three.repeat(iou.shape[-1] - 1, -1)], -1)


def _at(values: NDArray[Any], token: NDArray[Any]) -> NDArray[Any]:
    """(..., 1), of (..., T) the value of one token."""
    return np.take_along_axis(values, token[..., None].astype(np.int64), -1)
