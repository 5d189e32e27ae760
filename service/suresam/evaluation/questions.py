"""Every way in which a target is asked for, and what each answer scores."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Mask
from suresam.domain import Box, Point, Prediction, Prompt, Rle
from suresam.evaluation.boundary import boundary_f
from suresam.evaluation.overlap import intersection_over_union
from suresam.evaluation.predictor import Predictor
from suresam.evaluation.prompts import central_click, correction, scattered_clicks, tight_box
from suresam.evaluation.targets import Picture
from suresam.masks.rle import encode_rle
from suresam.segmenter import EmbeddedImage

CLICK_TOP = "click_top"
CLICKS = (CLICK_TOP, "two_clicks", "three_clicks", "four_clicks", "five_clicks", "six_clicks")
CANDIDATES = ("click_candidate_1", "click_candidate_2", "click_candidate_3")

QUESTIONS = {
    CLICK_TOP: "one click, highest predicted IoU",
    "click_best_of_three": "one click, best of three",
    "click_single": "one click, single mask",
    "two_clicks": "two clicks",
    "three_clicks": "three clicks",
    "four_clicks": "four clicks",
    "five_clicks": "five clicks",
    "six_clicks": "six clicks",
    "eight_clicks_at_once": "eight clicks at once",
    "box": "box",
    "box_corners_only": "box, corners only",
    "box_and_click": "box and click",
    "own_mask_and_click": "the click again, its mask as input",
    "coarse_mask_and_click": "the click, a coarse mask as input",
}
"""Figures that a model gets, by name, in words, in the order of reports."""

COARSE_CELLS = 8
"""A coarse earlier mask is the truth on so many cells a side, each inside or outside."""

_COARSE_LOGIT = 4.0


class Score(NamedTuple):
    """How good one answer is, and how good its model believes it to be; all in [0, 1]."""

    iou: float
    boundary_f: float
    predicted_iou: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What one target got.

    Attributes:
        scores: by the names of `QUESTIONS` and `CANDIDATES`.
        shown: the mask of `CLICK_TOP`, for pictures.
    """

    scores: dict[str, Score]
    shown: Rle


def ask_everything(predictor: Predictor, picture: Picture) -> list[Asked]:
    """Ask for every target of a picture in every way; the image is encoded once.

    A click is the pixel farthest from the target's border and a box is tight. The first click
    offers three masks, and the one of highest predicted IoU counts. Each further click lies
    deepest inside the errors of the answer before, whose low-res logits go back with all clicks
    so far; boxes and several clicks ask for a single mask. So does the first click asked again
    with a mask input: the logits of its own first answer, or a coarse mask made from the truth.
    Eight clicks at once are the first one and seven anywhere inside the target.

    Source: the protocol of interactive segmentation, as RITM, Sofiiuk et al. (2022), and
    Segment Anything, Kirillov et al. (2023), section 7.1, use it.
    """
    conversation = _Conversation(predictor, picture)
    conversation.click()
    conversation.correct()
    conversation.scatter()
    conversation.box()
    conversation.give_masks()
    return [
        Asked(scores, encode_rle(shown))
        for scores, shown in zip(conversation.scores, conversation.shown, strict=True)
    ]


class _Conversation:
    """All prompts on one picture, a prompt of every target at a time."""

    def __init__(self, predictor: Predictor, picture: Picture) -> None:
        self._predictor = predictor
        self._image: EmbeddedImage = predictor.embed(picture.image)
        self._truths = [target.truth for target in picture.targets]
        self._clicks = [Point(*central_click(truth)) for truth in self._truths]
        self._boxes = [Box(*tight_box(truth)) for truth in self._truths]
        self._first: list[Prediction] = []
        self.scores: list[dict[str, Score]] = [{} for _ in self._truths]
        self.shown: list[Mask] = []

    def click(self) -> None:
        prompts = [Prompt(points=(click,)) for click in self._clicks]
        self._first = self._ask(prompts, multimask=True)
        for answer, truth, scores in zip(self._first, self._truths, self.scores, strict=True):
            masks = [_mask(answer, i) for i in range(len(CANDIDATES))]
            judged = [_score(answer, i, mask, truth) for i, mask in enumerate(masks)]
            scores |= dict(zip(CANDIDATES, judged, strict=True))
            scores[CLICK_TOP] = judged[answer.best]
            scores["click_best_of_three"] = max(judged, key=lambda score: score.iou)
            self.shown.append(masks[answer.best])
        self._note("click_single", prompts)

    def correct(self) -> None:
        """Two to six clicks."""
        points = [[click] for click in self._clicks]
        labels = [[1] for _ in self._clicks]
        masks, logits = list(self.shown), self._first_logits()
        for question in CLICKS[1:]:
            for i, (mask, truth) in enumerate(zip(masks, self._truths, strict=True)):
                x, y, label = correction(mask, truth)
                points[i].append(Point(x, y))
                labels[i].append(label)
            prompts = [
                Prompt(points=tuple(points[i]), labels=tuple(labels[i]), mask_input=logits[i])
                for i in range(len(points))
            ]
            answers = self._note(question, prompts)
            masks = [_mask(answer, 0) for answer in answers]
            logits = [logits_of(answer, 0) for answer in answers]

    def scatter(self) -> None:
        """Eight clicks at once, drawn by each target's place in its picture."""
        clicks = [
            (click, *(Point(*c) for c in scattered_clicks(truth, 7, np.random.default_rng(i))))
            for i, (click, truth) in enumerate(zip(self._clicks, self._truths, strict=True))
        ]
        self._note("eight_clicks_at_once", [Prompt(points=points) for points in clicks])

    def box(self) -> None:
        prompts = [Prompt(box=box) for box in self._boxes]
        self._note("box", prompts)
        self._note("box_corners_only", prompts, corners_only=True)
        both = zip(self._boxes, self._clicks, strict=True)
        self._note("box_and_click", [Prompt(points=(click,), box=box) for box, click in both])

    def give_masks(self) -> None:
        coarse = [coarse_logits(truth) for truth in self._truths]
        for question, masks in (
            ("own_mask_and_click", self._first_logits()),
            ("coarse_mask_and_click", coarse),
        ):
            pairs = zip(self._clicks, masks, strict=True)
            self._note(question, [Prompt(points=(c,), mask_input=mask) for c, mask in pairs])

    def _first_logits(self) -> list[NDArray[np.float32]]:
        return [logits_of(answer, answer.best) for answer in self._first]

    def _note(
        self, question: str, prompts: list[Prompt], corners_only: bool = False
    ) -> list[Prediction]:
        """Ask for a single mask each and keep its score."""
        answers = self._ask(prompts, multimask=False, corners_only=corners_only)
        for answer, truth, scores in zip(answers, self._truths, self.scores, strict=True):
            scores[question] = _score(answer, 0, _mask(answer, 0), truth)
        return answers

    def _ask(
        self, prompts: list[Prompt], multimask: bool, corners_only: bool = False
    ) -> list[Prediction]:
        return self._predictor.ask(
            self._image, prompts, multimask=multimask, corners_only=corners_only
        )


def coarse_logits(truth: Mask) -> NDArray[np.float32]:
    """What an earlier, coarse segmentation might hand on: logits of +-4 on 8 x 8 cells.

    A cell is inside if at least half of it is; a target too small for that keeps its fullest
    cell.

    Returns:
        (8, 8) float32; the model's path resizes a mask input.
    """
    cells = (COARSE_CELLS, COARSE_CELLS)
    covered = cv2.resize(truth.astype(np.float32), cells, interpolation=cv2.INTER_AREA)
    logits = np.full(covered.shape, -_COARSE_LOGIT, np.float32)
    logits[covered >= min(0.5, float(covered.max()))] = _COARSE_LOGIT
    return logits


def coarse_mask(truth: Mask) -> Mask:
    """The mask that `coarse_logits` themselves draw at the truth's size."""
    height, width = truth.shape
    full = cv2.resize(coarse_logits(truth), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full > 0)


def _mask(answer: Prediction, index: int) -> Mask:
    # Row by row, as the truth lies: comparing the two is five times faster then.
    return np.ascontiguousarray(answer.mask(index))


def logits_of(answer: Prediction, index: int) -> NDArray[np.float32]:
    """The low-res logits of one mask, as a later mask input."""
    assert answer.low_res_logits is not None, "a predictor returns them"
    logits: NDArray[np.float32] = answer.low_res_logits[index].astype(np.float32)
    return logits


def _score(answer: Prediction, index: int, mask: Mask, truth: Mask) -> Score:
    return Score(
        intersection_over_union(mask, truth),
        boundary_f(mask, truth),
        answer.predicted_iou[index],
    )
