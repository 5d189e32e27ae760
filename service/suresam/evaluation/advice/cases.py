"""What was advised about every answer, and what each action would have gained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.domain import Point, PromptKind
from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.observations.next_clicks import (
    ADVISED,
    LARGEST_ERROR,
    RANDOM,
    answer_tokens,
)
from suresam.evaluation.observations.plan import ONE_CLICK, PROMPTS
from suresam.segmentation.selection import CANDIDATE_TOKENS
from suresam.uncertainty.advice import (
    ACCEPT,
    ADD_POINT,
    CHOOSE_MASK,
    REVIEW,
    USE_LARGE,
    advise,
    likeliest_mask,
)
from suresam.uncertainty.answer_scores import DECODER
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads
from suresam.uncertainty.next_click import NextClick

KINDS: dict[str, PromptKind] = {
    "centre_click": "one_click",
    "random_click": "one_click",
    "box": "box",
}
"""The prompts that advice is judged on, and what a service calls them."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """N answers of one member.

    Attributes:
        picture: (N,) int, whose they are.
        prompt: (N,) int, places in `plan.PROMPTS`.
        iou: (N,) of the answer.
        action: (N,) str, what was advised.
        expected_gain: (N,) by what the service said; 0 for accept and review.
        gains: by action, (N,) what it adds in truth; NaN where it cannot be taken.
        likeliest: (N,) IoU of the mask of highest expected IoU among those that were answered.
        random_click, ideal_click: (N,) what a random click and one in the middle of the largest
            error add.
    """

    picture: NDArray[np.int64]
    prompt: NDArray[np.int64]
    iou: Values
    action: NDArray[np.str_]
    expected_gain: Values
    gains: dict[str, Values]
    likeliest: Values
    random_click: Values
    ideal_click: Values

    @property
    def realised_gain(self) -> Values:
        """(N,) what following the advice adds."""
        taken = [self.gains[action][i] for i, action in enumerate(self.action)]
        return np.array(taken, np.float64)


def cases_of(
    observed: Mapping[str, NDArray[Any]], heads: UsamHeads, reading: HeadReading, member: int
) -> Cases:
    """The cases of one member.

    Args:
        observed: as `ObservationStore.read` gives it, with next clicks, of `KINDS` alone.
        heads: of the family.
        reading: of the member, calibrated.
        member: its place in `observed`.
    """
    questions = np.arange(len(observed["prompt"]))
    tokens = answer_tokens(observed, member)
    own = observed["iou"].astype(np.float64)
    last = own.shape[1] - 1
    iou = own[questions, member, tokens]
    after = observed["next_click_iou"][:, member].astype(np.float64)
    has_choice = np.isin(observed["prompt"], ONE_CLICK)
    nothing = np.zeros(len(iou))
    gains = {
        ACCEPT: nothing,
        REVIEW: nothing,
        CHOOSE_MASK: np.where(has_choice, own[:, member, 1:].max(-1) - iou, np.nan),
        ADD_POINT: after[:, ADVISED] - iou,
        USE_LARGE: own[questions, last, answer_tokens(observed, last)] - iou
        if member != last
        else np.full(len(iou), np.nan),
    }
    said = score_observed(heads, observed, member)
    has_click = ~np.isnan(after[:, ADVISED])
    advised = [
        _advice(observed, said, reading, member, int(tokens[q]), q, has_click=bool(has_click[q]))
        for q in range(len(iou))
    ]
    return Cases(
        observed["picture"].astype(np.int64),
        observed["prompt"].astype(np.int64),
        iou,
        np.array([action for action, _, _ in advised]),
        np.array([gain for _, gain, _ in advised]),
        gains,
        own[questions, member, [token for _, _, token in advised]],
        after[:, RANDOM] - iou,
        after[:, LARGEST_ERROR] - iou,
    )


def _advice(
    observed: Mapping[str, NDArray[Any]],
    said: Values,
    reading: HeadReading,
    member: int,
    token: int,
    question: int,
    *,
    has_click: bool,
) -> tuple[str, float, int]:
    """The action, the gain that the service expects of it, and the token of the likeliest mask."""
    place = int(observed["prompt"][question])
    decoder = {name: observed[name][question, member] for name in DECODER}
    tokens = list(CANDIDATE_TOKENS) if place in ONE_CLICK else [token]
    masks = reading.read(said[question], decoder, tokens, KINDS[PROMPTS[place]])
    scores = masks[tokens.index(token)]
    # Where the click lies is told already, in what it adds.
    click = NextClick(Point(0, 0), 1) if has_click else None
    advice = advise(masks, tokens.index(token), lambda: click)
    assert advice is not None, "the member is calibrated"
    gain = {
        CHOOSE_MASK: scores.task_gap,
        USE_LARGE: scores.model_gap,
        ADD_POINT: scores.next_click_gain,
    }.get(advice.action)
    return advice.action, 0.0 if gain is None else gain, tokens[likeliest_mask(masks)]
