"""What heads say of observed masks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from suresam.uncertainty.heads import UsamHeads


def score_observed(
    heads: UsamHeads, observed: Mapping[str, NDArray[Any]], member: int
) -> NDArray[np.float64]:
    """All heads of the masks of one member, (Q, T, H).

    Args:
        heads: of the family.
        observed: as `ObservationStore.read` gives it, or some of its rows.
        member: its place in `observed`.
    """
    iou_token = torch.from_numpy(observed["iou_token"][:, member])
    mask_tokens = torch.from_numpy(observed["mask_tokens"][:, member])
    scores: NDArray[np.float64] = heads.score(iou_token, mask_tokens).double().numpy()
    return scores
