"""What every member answered to each request, and what was known of it before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.domain import HeadScores
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
    larger = [name for name in names[1:] if name in told[0].gain_by_member]
    scores = {
        SAM_SCORE: -observed["predicted_iou"][questions, 0, first].astype(np.float64),
        ENTROPY: observed["entropy"][questions, 0, first].astype(np.float64),
    }
    # The head that learned a gap speaks of the pair that it learned it of.
    if MODEL_GAP in told[0].values:
        scores[DIRECT_HEAD] = np.array([score.values[MODEL_GAP] for score in told], np.float64)
    return Cases(
        observed["picture"].astype(np.int64),
        observed["prompt"].astype(np.int64),
        observed["iou"][questions[:, None], np.arange(len(names)), tokens].astype(np.float64),
        {name: np.array([s.gain_by_member[name] for s in told], np.float64) for name in larger},
        scores,
    )


def _told(
    observed: Mapping[str, NDArray[Any]],
    said: Values,
    reading: HeadReading,
    answering: NDArray[np.int64],
) -> list[HeadScores]:
    """What the service tells of every answer."""
    told = []
    for question, (place, token) in enumerate(zip(observed["prompt"], answering, strict=True)):
        decoder = {name: observed[name][question, 0] for name in DECODER}
        tokens = list(CANDIDATE_TOKENS) if place in ONE_CLICK else [int(token)]
        masks = reading.read(said[question], decoder, tokens, KINDS[PROMPTS[place]])
        scores = masks[tokens.index(token)]
        assert scores.gain_by_member, "the calibration tells the model gap"
        told.append(scores)
    return told
