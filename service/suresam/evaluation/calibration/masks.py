"""The masks that a service would have answered with, their scores and what they were worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.observations.head_targets import answers, head_targets
from suresam.evaluation.observations.next_clicks import ADVISED, answer_tokens
from suresam.uncertainty.answer_scores import DECODER, ENTROPY, answer_scores
from suresam.uncertainty.head_info import GAPS, MODEL_GAP
from suresam.uncertainty.head_reading import NEXT_CLICK, HeadReading
from suresam.uncertainty.heads import UsamHeads

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredMasks:
    """N masks of one member, over all prompts.

    Attributes:
        picture: (N,) int, whose they are.
        prompt: (N,) int, the kind that asked for them, a place in `plan.PROMPTS`.
        scores: (N,) each, heads by name and those of `answer_scores`.
        iou: (N,) their true IoU.
        gains: by name, (N,) what the larger member, more clicks, another mask or the advised
            click would have gained; NaN where there is nothing to gain from.
    """

    picture: NDArray[np.int64]
    prompt: NDArray[np.int64]
    scores: dict[str, Values]
    iou: Values
    gains: dict[str, Values]

    def of_pictures(self, wanted: NDArray[np.int64]) -> "ScoredMasks":
        """Those of some pictures."""
        return self.where(np.isin(self.picture, wanted))

    def of_prompt(self, prompt: int) -> "ScoredMasks":
        """Those that one kind of prompt asked for."""
        return self.where(self.prompt == prompt)

    def where(self, kept: NDArray[np.bool_]) -> "ScoredMasks":
        """Those that are kept."""
        return ScoredMasks(
            self.picture[kept],
            self.prompt[kept],
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
        scores |= answer_scores(
            {kind: observed[kind][:, member].astype(np.float64) for kind in DECODER}
        )
        gains = {gap: targets[:, member, :, columns[gap]] for gap in GAPS}
        gains[MODEL_GAP] = _model_gains(observed, member)
        gains[NEXT_CLICK] = _next_click_gains(observed, member)
        is_answer = np.ones(scores[ENTROPY].shape, bool)
        is_answer[:, 0] = observed["single_token"][:, member] == 0
        picture, prompt = (
            np.broadcast_to(observed[field].astype(np.int64)[:, None], is_answer.shape)[is_answer]
            for field in ("picture", "prompt")
        )
        found[name] = ScoredMasks(
            picture,
            prompt,
            {score: values[is_answer] for score, values in scores.items()},
            observed["iou"][:, member].astype(np.float64)[is_answer],
            {name: values[is_answer] for name, values in gains.items()},
        )
    return found


def _model_gains(observed: Mapping[str, NDArray[Any]], member: int) -> Values:
    """(Q, T), what the last member's answer has more; a head knows it of the first only."""
    iou = observed["iou"].astype(np.float64)
    last = iou.shape[1] - 1
    if member == last:
        return np.full(iou[:, member].shape, np.nan)
    return answers(observed, last) - iou[:, member]


def _next_click_gains(observed: Mapping[str, NDArray[Any]], member: int) -> Values:
    """(Q, T), known of the token that answered alone."""
    iou, followed = observed["iou"][:, member], observed["next_click_iou"][:, member, ADVISED]
    gains = np.full(iou.shape, np.nan)
    questions, tokens = np.arange(len(iou)), answer_tokens(observed, member)
    gains[questions, tokens] = followed - iou[questions, tokens]
    return gains
