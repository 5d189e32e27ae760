"""The masks that a service would have answered with, their scores and what they were worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.observations.head_targets import head_targets
from suresam.uncertainty.head_info import GAPS
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredMasks:
    """N masks of one member, over all prompts.

    Attributes:
        picture: (N,) int, whose they are.
        scores: (N,) each, heads by name, `predicted_iou` and `entropy`.
        iou: (N,) their true IoU.
        gains: by gap field, (N,) what the larger member, more clicks or another mask would have
            gained; NaN where there is nothing to gain from.
    """

    picture: NDArray[np.int64]
    scores: dict[str, Values]
    iou: Values
    gains: dict[str, Values]

    def of_pictures(self, wanted: NDArray[np.int64]) -> "ScoredMasks":
        """Those of some pictures."""
        kept = np.isin(self.picture, wanted)
        return ScoredMasks(
            self.picture[kept],
            {name: values[kept] for name, values in self.scores.items()},
            self.iou[kept],
            {name: values[kept] for name, values in self.gains.items()},
        )


def masks_of_members(
    observed: Mapping[str, NDArray[Any]], heads: UsamHeads, names: Sequence[str]
) -> dict[str, ScoredMasks]:
    """The masks of every member: three of every prompt, and token 0's where it answers alone.

    Args:
        observed: as `ObservationStore.read` gives it, members in the order of `names`.
        heads: of the family.
        names: of the members, cheapest first.
    """
    targets = head_targets(dict(observed), heads.info, names).astype(np.float64)
    columns = {name: i for i, name in enumerate(heads.info.names)}
    found = {}
    for member, name in enumerate(names):
        said = score_observed(heads, observed, member)
        scores = HeadReading(heads.info, name, names[-1]).named(said)
        scores["predicted_iou"] = observed["predicted_iou"][:, member].astype(np.float64)
        scores["entropy"] = observed["entropy"][:, member].astype(np.float64)
        is_answer = np.ones(scores["entropy"].shape, bool)
        is_answer[:, 0] = observed["single_token"][:, member] == 0
        picture = np.broadcast_to(observed["picture"][:, None], is_answer.shape)
        found[name] = ScoredMasks(
            picture[is_answer],
            {score: values[is_answer] for score, values in scores.items()},
            observed["iou"][:, member].astype(np.float64)[is_answer],
            {gap: targets[:, member, :, columns[gap]][is_answer] for gap in GAPS},
        )
    return found
