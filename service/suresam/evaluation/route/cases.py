"""What every member answered to each request, and what was known of it before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.advice.cases import KINDS
from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.observations.next_clicks import answer_tokens
from suresam.evaluation.observations.plan import ONE_CLICK, PROMPTS
from suresam.segmentation.selection import CANDIDATE_TOKENS
from suresam.uncertainty.answer_scores import DECODER
from suresam.uncertainty.head_info import MODEL_GAP
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads

PROMPT_GROUPS = {"points": ONE_CLICK, "boxes": (PROMPTS.index("box"),)}
"""Requests that have curves of their own, by places in `plan.PROMPTS`."""

SAM_SCORE, ENTROPY, DIRECT_HEAD = "sam_score", "entropy", "direct_head"

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """N requests of one prompt each; M members, cheapest first.

    Attributes:
        picture: (N,) int, whose they are.
        prompt: (N,) int, places in `plan.PROMPTS`.
        iou: (N, M) of the mask that each member answers with.
        gains: by larger member (N,), what the service expects it to gain in IoU.
        scores: of the first member's answer by name (N,); higher is escalated sooner.
    """

    picture: NDArray[np.int64]
    prompt: NDArray[np.int64]
    iou: Values
    gains: Mapping[str, Values]
    scores: Mapping[str, Values]

    def of(self, places: Sequence[int]) -> "Cases":
        """Those with such prompts."""
        kept = np.isin(self.prompt, places)
        return Cases(
            self.picture[kept],
            self.prompt[kept],
            self.iou[kept],
            {name: gain[kept] for name, gain in self.gains.items()},
            {name: score[kept] for name, score in self.scores.items()},
        )


def cases_of(
    observed: Mapping[str, NDArray[Any]],
    heads: UsamHeads,
    reading: HeadReading,
    names: Sequence[str],
) -> Cases:
    """The requests that were observed.

    A single click is answered by the mask of highest predicted IoU of three, a box by one mask.

    Args:
        observed: as `ObservationStore.read` gives it, of `advice.cases.KINDS` alone.
        heads: of the family.
        reading: of the first member, calibrated.
        names: of the members, cheapest first.
    """
    questions = np.arange(len(observed["prompt"]))
    tokens = np.stack([answer_tokens(observed, member) for member in range(len(names))], 1)
    first = tokens[:, 0]
    told = _told(observed, score_observed(heads, observed, 0), reading, first)
    return Cases(
        observed["picture"].astype(np.int64),
        observed["prompt"].astype(np.int64),
        observed["iou"][questions[:, None], np.arange(len(names)), tokens].astype(np.float64),
        # Calibrations tell what the last member gains, and nothing of those between.
        {names[-1]: told[:, 0]},
        {
            SAM_SCORE: -observed["predicted_iou"][questions, 0, first].astype(np.float64),
            ENTROPY: observed["entropy"][questions, 0, first].astype(np.float64),
            DIRECT_HEAD: told[:, 1],
        },
    )


def _told(
    observed: Mapping[str, NDArray[Any]],
    said: Values,
    reading: HeadReading,
    answering: NDArray[np.int64],
) -> Values:
    """(N, 2) the model gap as the service tells it, and that of the head that learned it."""
    told = []
    for question, (place, token) in enumerate(zip(observed["prompt"], answering, strict=True)):
        decoder = {name: observed[name][question, 0] for name in DECODER}
        tokens = list(CANDIDATE_TOKENS) if place in ONE_CLICK else [int(token)]
        masks = reading.read(said[question], decoder, tokens, KINDS[PROMPTS[place]])
        scores = masks[tokens.index(token)]
        assert scores.model_gap is not None, "the calibration tells the model gap"
        told.append((scores.model_gap, scores.values[MODEL_GAP]))
    return np.array(told, np.float64)
