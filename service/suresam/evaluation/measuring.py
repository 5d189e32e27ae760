"""Asking models and baselines for the same targets, and keeping what everybody scored."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Mask
from suresam.domain import Rle
from suresam.evaluation.baselines import (
    RADII,
    TOLERANCES,
    ChosenSettings,
    choose_settings,
    discs,
    filled_box,
    flood_fills,
    smoothed,
)
from suresam.evaluation.boundary import boundary_f
from suresam.evaluation.grabcut import grabcut
from suresam.evaluation.overlap import intersection_over_union
from suresam.evaluation.predictor import Predictor
from suresam.evaluation.prompts import central_click, tight_box
from suresam.evaluation.questions import Asked, Score, ask_everything, coarse_mask
from suresam.evaluation.targets import Picture, Target

BASELINES = {
    "disc_one_radius": "disc round the click, one radius",
    "disc_best_of_three": "disc round the click, best of three radii",
    "flood_one_tolerance": "colour flood fill, one tolerance",
    "flood_best_of_three": "colour flood fill, best of three tolerances",
    "filled_box": "filled box",
    "grabcut": "GrabCut from the box",
    "coarse_mask": "the coarse mask itself",
}
"""Baselines by name, in words, in the order of reports."""

IOU, BOUNDARY_F, PREDICTED_IOU = range(3)
"""Columns of `Scores`."""

Scores = NDArray[np.float64]
"""(N, 3): a row of `IOU`, `BOUNDARY_F` and `PREDICTED_IOU` for every target; NaN: not asked."""

_NOT_ASKED = Score(float("nan"), float("nan"))

_GRABCUT = 1
"""Sets the draw of GrabCut's targets apart from the other draws of a seed."""


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """Which target a row of scores is about.

    Attributes:
        image_id: of its picture.
        example, index: the data set holds it as `dataset[example].masks[index]`.
        share: part of the picture that it covers.
        click: pixel x, y of the first click.
        box: tight, x1, y1, x2, y2 in pixels.
        origin: of the picture, as `datasets.origins` tells it; None for the picture itself.
    """

    image_id: str
    example: int
    index: int
    share: float
    click: tuple[int, int]
    box: tuple[float, float, float, float]
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Measurements:
    """The raw outcome, N targets.

    Attributes:
        targets: what was asked for.
        models: for every model, by question, its scores.
        baselines: by the names of `BASELINES`, their scores; empty if they were left out.
        settings: radii and tolerances that were chosen for the baselines.
        shown: for every model its mask of `questions.CLICK_TOP` for every target.
    """

    targets: list[TargetRecord]
    models: dict[str, dict[str, Scores]]
    baselines: dict[str, Scores]
    settings: dict[str, list[float]]
    shown: dict[str, list[Rle]]

    @property
    def image_ids(self) -> list[str]:
        """The image of every target."""
        return [target.image_id for target in self.targets]

    @property
    def origins(self) -> list[str]:
        """What is resampled: the image of every target, or the video that it is of."""
        return [target.origin or target.image_id for target in self.targets]


@dataclass(frozen=True, slots=True)
class PictureScores:
    """What everybody scored on one picture; it travels between processes.

    Attributes:
        targets: that were asked for.
        models: for every model what each target got.
        floor: the baselines' scores, or None without.
    """

    targets: list[TargetRecord]
    models: dict[str, list[Asked]]
    floor: "_Floor | None"

    def first(self, count: int) -> "PictureScores":
        """The same of so many targets at most."""
        return PictureScores(
            self.targets[:count],
            {name: rows[:count] for name, rows in self.models.items()},
            None if self.floor is None else self.floor.first(count),
        )


def measure_picture(
    predictors: Sequence[Predictor],
    picture: Picture,
    *,
    with_baselines: bool = True,
    grabcut_share: float = 1.0,
    seed: int = 0,
) -> PictureScores:
    """Ask all predictors and baselines for all targets of a picture.

    Args:
        predictors: with different names.
        picture: with targets.
        with_baselines: whether to ask baselines too.
        grabcut_share: chance of every target that GrabCut, which is slow, is asked for it too.
        seed: of that draw; each target is drawn by itself, wherever it stands in its picture.
    """
    records = [_record(picture, target) for target in picture.targets]
    floor = None
    if with_baselines:
        floor = _Floor()
        floor.add(picture, records, [_draw(seed, record) < grabcut_share for record in records])
    asked = {predictor.name: ask_everything(predictor, picture) for predictor in predictors}
    return PictureScores(records, asked, floor)


def _draw(seed: int, record: TargetRecord) -> float:
    whose = [zlib.crc32(record.image_id.encode()), record.example, record.index]
    return float(np.random.default_rng([seed, _GRABCUT, *whose]).random())


def gather(pictures: Iterable[PictureScores]) -> Measurements:
    """All pictures together, with the baselines' best settings.

    Args:
        pictures: at least one, all asked alike.
    """
    parts = list(pictures)
    asked = {name: [row for part in parts for row in part.models[name]] for name in parts[0].models}
    floors = [part.floor for part in parts if part.floor is not None]
    baselines, settings = _Floor.of_all(floors).settle() if floors else ({}, {})
    return Measurements(
        [target for part in parts for target in part.targets],
        {name: _by_question(rows) for name, rows in asked.items()},
        baselines,
        settings,
        {name: [row.shown for row in rows] for name, rows in asked.items()},
    )


def _record(picture: Picture, target: Target) -> TargetRecord:
    return TargetRecord(
        picture.image_id,
        target.example,
        target.index,
        target.share,
        central_click(target.truth),
        tight_box(target.truth),
        picture.origin,
    )


def _by_question(rows: list[Asked]) -> dict[str, Scores]:
    names = list(rows[0].scores) if rows else []
    return {name: np.array([row.scores[name] for row in rows], np.float64) for name in names}


@dataclass(slots=True)
class _Floor:
    """Scores of the baselines, with every radius and tolerance until the best are known."""

    discs: list[list[Score]] = field(default_factory=list)
    floods: list[list[Score]] = field(default_factory=list)
    fixed: dict[str, list[Score]] = field(
        default_factory=lambda: {"filled_box": [], "grabcut": [], "coarse_mask": []}
    )

    @classmethod
    def of_all(cls, parts: "Sequence[_Floor]") -> "_Floor":
        """One of the scores of several, in their order."""
        return cls(
            [row for part in parts for row in part.discs],
            [row for part in parts for row in part.floods],
            {
                name: [score for part in parts for score in part.fixed[name]]
                for name in parts[0].fixed
            },
        )

    def first(self, count: int) -> "_Floor":
        """Of so many targets at most."""
        fixed = {name: scores[:count] for name, scores in self.fixed.items()}
        return _Floor(self.discs[:count], self.floods[:count], fixed)

    def add(
        self, picture: Picture, records: Sequence[TargetRecord], has_grabcut: Sequence[bool]
    ) -> None:
        """Ask for all targets of a picture, and GrabCut for some of them."""
        image, smooth = picture.image, smoothed(picture.image)
        shape = (image.shape[0], image.shape[1])
        for target, record, is_cut in zip(picture.targets, records, has_grabcut, strict=True):
            score = partial(_score, truth=target.truth)
            self.discs.append([score(mask) for mask in discs(shape, record.click)])
            self.floods.append([score(mask) for mask in flood_fills(smooth, record.click)])
            self.fixed["filled_box"].append(score(filled_box(shape, record.box)))
            cut = score(grabcut(image, record.box)) if is_cut else _NOT_ASKED
            self.fixed["grabcut"].append(cut)
            self.fixed["coarse_mask"].append(score(coarse_mask(target.truth)))

    def settle(self) -> tuple[dict[str, Scores], dict[str, list[float]]]:
        """Choose radii and tolerances; scores by the names of `BASELINES`, and the settings."""
        scores: dict[str, Scores] = {}
        settings: dict[str, list[float]] = {}
        for one, three, rows, values in (
            ("disc_one_radius", "disc_best_of_three", self.discs, RADII),
            ("flood_one_tolerance", "flood_best_of_three", self.floods, TOLERANCES),
        ):
            table = np.array(rows, np.float64)  # (N, settings, 3)
            chosen = choose_settings(table[..., IOU])
            scores[one] = table[:, chosen.one]
            scores[three] = _best_of(table, chosen)
            settings[one] = [values[chosen.one]]
            settings[three] = [values[i] for i in chosen.three]
        scores |= {name: np.array(rows, np.float64) for name, rows in self.fixed.items()}
        return {name: scores[name] for name in BASELINES}, settings


def _score(mask: Mask, truth: Mask) -> Score:
    return Score(intersection_over_union(mask, truth), boundary_f(mask, truth))


def _best_of(table: NDArray[np.float64], chosen: ChosenSettings) -> Scores:
    three = table[:, list(chosen.three)]
    best = three[..., IOU].argmax(axis=1)
    return np.asarray(three[np.arange(len(three)), best])
