"""From scores to figures with intervals: by question, by size, by pair of models."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.agreement import STATISTICS
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.measuring import BOUNDARY_F, IOU, PREDICTED_IOU, Measurements, Scores
from suresam.evaluation.questions import CANDIDATES, CLICK_TOP, CLICKS, QUESTIONS

ALL = "all"
SIZES = {
    "under 3 %": (0.0, 0.03),
    "3 to 10 %": (0.03, 0.10),
    "10 to 30 %": (0.10, 0.30),
    "over 30 %": (0.30, 1.01),
}
"""Classes of targets by their share of the picture, the lower end included."""

WANTED_IOU = 0.8
UNREACHED = len(CLICKS) + 1
"""Clicks that a target counts which six clicks do not bring to `WANTED_IOU`."""

JUDGED = (CLICK_TOP, "three_clicks", "box")
"""Questions whose predicted IoU is compared with the true one, besides all candidates."""

WHERE_GRABCUT = "_where_grabcut"
"""Ends the measures of a box on GrabCut's targets alone."""

CANDIDATES_TOGETHER = "click_candidates"
"""The three answers to one click, each counted."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a report.

    Attributes:
        who: a model, a baseline, or two models as "LARGE - SMALL", paired target by target.
        question: of `QUESTIONS`; for a baseline its own name.
        measure: "iou", "boundary_f", "clicks_to_iou_0.8" (7: not within six), "reached_iou_0.8"
            (share of targets, within six clicks); of a box "iou_where_grabcut" and
            "boundary_f_where_grabcut", on the targets that GrabCut was asked for; of predicted
            IoU against the true one "mean_absolute_error", "mean_signed_error" (predicted less
            true: above 0 it is overconfident) or a name of `agreement.STATISTICS`.
        size: a class of `SIZES`, or "all".
        estimate: value and interval.
    """

    who: str
    question: str
    measure: str
    size: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a run.

    Attributes:
        rows: in the order of the report.
    """

    rows: tuple[Figure, ...]

    def find(
        self, who: str, question: str, measure: str = "iou", size: str = ALL
    ) -> Estimate | None:
        """The estimate of that name, or None where there is none."""
        for row in self.rows:
            if (row.who, row.question, row.measure, row.size) == (who, question, measure, size):
                return row.estimate
        return None

    def rises_with_clicks(self, who: str) -> bool:
        """Whether every further click, up to six, raises a model's mean IoU."""
        means = [self.find(who, question) for question in CLICKS]
        values = [mean.value for mean in means if mean is not None]
        return len(values) == len(CLICKS) and bool((np.diff(values) > 0).all())


def compute_figures(measured: Measurements, seed: int = 0) -> Figures:
    """Means over targets, and intervals by resampling images; frames of a video go together.

    Args:
        measured: at least one target.
        seed: of the resampling.
    """
    shares = np.array([target.share for target in measured.targets])
    images = np.array(measured.origins)
    rows: list[Figure] = []
    for size, (low, high) in {ALL: (0.0, np.inf), **SIZES}.items():
        within = (shares >= low) & (shares < high)
        if within.any():
            rows += _of_size(_Sample(measured, within, ImageBootstrap(images[within], seed)), size)
    return Figures(tuple(rows))


@dataclass(frozen=True, slots=True)
class _Sample:
    """The targets of one size, and how to resample them."""

    measured: Measurements
    within: NDArray[np.bool_]
    bootstrap: ImageBootstrap

    def scores(self, who: str, question: str) -> Scores:
        return self.measured.models[who][question][self.within]


def _of_size(sample: _Sample, size: str) -> Iterator[Figure]:
    measured, mean = sample.measured, sample.bootstrap.mean
    for who in measured.models:
        for question in QUESTIONS:
            scores = sample.scores(who, question)
            yield Figure(who, question, "iou", size, mean(scores[:, IOU]))
            yield Figure(who, question, "boundary_f", size, mean(scores[:, BOUNDARY_F]))
        needed = clicks_needed(measured.models[who])[sample.within]
        reached = (needed < UNREACHED).astype(np.float64)
        yield from _beside_grabcut(sample, who, size)
        yield Figure(who, "clicks", f"clicks_to_iou_{WANTED_IOU}", size, mean(needed))
        yield Figure(who, "clicks", f"reached_iou_{WANTED_IOU}", size, mean(reached))
        if size == ALL:
            yield from _agreement(sample, who)
    first, *others = measured.models
    for other in others:
        for question in QUESTIONS:
            gain = sample.scores(other, question) - sample.scores(first, question)
            who = f"{other} - {first}"
            yield Figure(who, question, "iou", size, mean(gain[:, IOU]))
            yield Figure(who, question, "boundary_f", size, mean(gain[:, BOUNDARY_F]))
    for baseline, scores in measured.baselines.items():
        here = scores[sample.within]
        yield Figure(baseline, baseline, "iou", size, mean(here[:, IOU]))
        yield Figure(baseline, baseline, "boundary_f", size, mean(here[:, BOUNDARY_F]))


def _beside_grabcut(sample: _Sample, who: str, size: str) -> Iterator[Figure]:
    cut = sample.measured.baselines.get("grabcut")
    if cut is None or np.isnan(cuts := cut[sample.within, IOU]).all():
        return
    scores = sample.scores(who, "box")
    for measure, column in (("iou", IOU), ("boundary_f", BOUNDARY_F)):
        values = np.where(np.isnan(cuts), np.nan, scores[:, column])
        yield Figure(who, "box", measure + WHERE_GRABCUT, size, sample.bootstrap.mean(values))


def clicks_needed(questions: dict[str, Scores]) -> NDArray[np.float64]:
    """The first number of clicks, from 1, with IoU 0.8; 7 where six do not reach it.

    Args:
        questions: a model's scores, by question.

    Returns:
        (N,) float64.
    """
    reached = np.stack([questions[question][:, IOU] for question in CLICKS]) >= WANTED_IOU
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, UNREACHED).astype(np.float64)


def _agreement(sample: _Sample, who: str) -> Iterator[Figure]:
    for question in (*JUDGED, CANDIDATES_TOGETHER):
        if question == CANDIDATES_TOGETHER:
            scores = np.concatenate([sample.scores(who, c) for c in CANDIDATES])
            bootstrap = sample.bootstrap.repeated(len(CANDIDATES))
        else:
            scores, bootstrap = sample.scores(who, question), sample.bootstrap
        predicted, true = scores[:, PREDICTED_IOU], scores[:, IOU]
        error = predicted - true
        yield Figure(who, question, "mean_absolute_error", ALL, bootstrap.mean(np.abs(error)))
        yield Figure(who, question, "mean_signed_error", ALL, bootstrap.mean(error))
        for name, statistic in STATISTICS.items():
            estimate = bootstrap.statistic(statistic, predicted, true)
            yield Figure(who, question, name, ALL, estimate)
