"""One evaluation of segmenters: what was asked, what came out, and the report of it."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, TextIO

from suresam.datasets import Dataset
from suresam.errors import ConfigurationError
from suresam.evaluation.bootstrap import LEVEL, NUM_RESAMPLES, Estimate
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.costs import Cost, measure_cost
from suresam.evaluation.figures import Figures, compute_figures
from suresam.evaluation.measuring import BASELINES, Measurements, gather
from suresam.evaluation.progress import tell_progress
from suresam.evaluation.questions import CLICK_TOP, QUESTIONS
from suresam.evaluation.rows import rounded
from suresam.evaluation.spreading import measure_pictures
from suresam.evaluation.targets import TargetChoice, chosen_pictures

_MEANS, _JUDGEMENTS = ("iou", "boundary_f"), ("pearson", "mean_signed_error")
"""Measures in manifests: of every question, and of the predicted IoU of one click."""
_LIBRARIES = ("torch", "sam2", "numpy", "scipy", "opencv-python-headless", "pycocotools")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that one run found.

    Attributes:
        dataset: that was asked about.
        choice: how its targets were drawn.
        measured: scores of every target.
        figures: with their intervals.
        costs: of every model.
    """

    dataset: Dataset
    choice: TargetChoice
    measured: Measurements
    figures: Figures
    costs: dict[str, Cost]


def evaluate(
    dataset: Dataset,
    contestants: Sequence[Contestant],
    choice: TargetChoice,
    *,
    stream: TextIO,
    threads: int | None = None,
    with_baselines: bool = True,
    num_grabcuts: int | None = None,
) -> Evaluation:
    """Measure models and baselines on the same targets of a data set.

    Args:
        dataset: with targets of the wanted size.
        contestants: at least one, with different names, cheapest first.
        choice: which targets.
        stream: where progress is told.
        threads: processes that ask, of one thread each; None asks in this one with all its
            threads. Costs are always measured in this one, before that.
        with_baselines: whether to ask baselines too.
        num_grabcuts: about how many targets GrabCut, which is slow, is asked for, drawn from
            all by the seed of `choice`; None for every one.

    Raises:
        ConfigurationError: the data set has no such target, or cannot be read; two models
            have one name.
        NonFiniteOutput: a model answered with NaN or infinity.
    """
    names = [contestant.manifest.name for contestant in contestants]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"two models have one name: {', '.join(names)}")
    total = _most_targets(dataset, choice)
    costs: dict[str, Cost] = {}
    first = next(chosen_pictures(dataset, choice))
    for name, contestant in zip(names, contestants, strict=True):
        costs[name] = measure_cost(contestant.predictor, first.image)
    scores = measure_pictures(
        dataset,
        contestants,
        choice,
        workers=threads,
        with_baselines=with_baselines,
        grabcut_share=1.0 if num_grabcuts is None else num_grabcuts / total,
    )
    measured = gather(tell_progress(scores, total, stream))
    return Evaluation(dataset, choice, measured, compute_figures(measured, choice.seed), costs)


def _most_targets(dataset: Dataset, choice: TargetChoice) -> int:
    num_images = len(set(dataset.image_ids))
    if choice.num_images is not None:
        num_images = min(num_images, choice.num_images)
    drawn = num_images * choice.per_image
    return drawn if choice.num_targets is None else min(drawn, choice.num_targets)


def describe(evaluation: Evaluation) -> dict[str, Any]:
    """The report, for JSON: figures with intervals by model, baseline and pair of models."""
    figures, measured = evaluation.figures, evaluation.measured
    names = list(measured.models)
    return {
        "dataset": {
            "name": evaluation.dataset.name,
            "num_examples": len(evaluation.dataset),
            "num_images": len(set(evaluation.dataset.image_ids)),
        },
        "targets": asdict(evaluation.choice)
        | {"num_measured": len(measured.targets), "images_measured": len(set(measured.image_ids))},
        "intervals": {
            "level": LEVEL,
            "resamples": NUM_RESAMPLES,
            "resampled": "images",
            "seed": evaluation.choice.seed,
        },
        "models": {
            name: {
                "cost": _rounded(asdict(evaluation.costs[name])),
                "rises_with_every_click": figures.rises_with_clicks(name),
                "figures": _nested(figures, name),
            }
            for name in names
        },
        "differences": {
            f"{other} - {names[0]}": {
                "cost_ratio": _ratio(evaluation.costs[names[0]], evaluation.costs[other]),
                "figures": _nested(figures, f"{other} - {names[0]}"),
            }
            for other in names[1:]
        },
        "baselines": {
            name: {
                "settings": measured.settings.get(name),
                "figures": _nested(figures, name)[name],
            }
            for name in measured.baselines
        },
        "words": QUESTIONS | BASELINES,
        "versions": library_versions(),
    }


def library_versions() -> dict[str, str]:
    """Of what models and measurements are made with, and of Python."""
    return {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()}


def flat_figures(evaluation: Evaluation, who: str) -> dict[str, float | int]:
    """A model's figures and the baselines' as plain numbers, as manifests keep them.

    Returns:
        Mean IoU by the names of `QUESTIONS` and `BASELINES` and mean boundary F with
        `_boundary_f` behind the name, as far as they were asked for; of the predicted IoU of
        one click against the true one `click_top_pearson` and `click_top_mean_signed_error`
        (above 0 it is overconfident); `num_targets` and `num_images`.
    """
    measured = evaluation.measured
    flat: dict[str, float | int] = {
        "num_targets": len(measured.targets),
        "num_images": len(set(measured.image_ids)),
    }
    wanted = [(who, question, kind) for question in QUESTIONS for kind in _MEANS]
    wanted += [(name, name, kind) for name in measured.baselines for kind in _MEANS]
    wanted += [(who, CLICK_TOP, kind) for kind in _JUDGEMENTS]
    for person, question, kind in wanted:
        found = evaluation.figures.find(person, question, kind)
        value = None if found is None else rounded(found.value)
        if value is not None:  # what was not asked is left out
            flat[question if kind == "iou" else f"{question}_{kind}"] = value
    return flat


def _nested(figures: Figures, who: str) -> dict[str, Any]:
    """Question -> measure -> size -> estimate."""
    nested: dict[str, Any] = {}
    for row in figures.rows:
        if row.who == who:
            measures = nested.setdefault(row.question, {})
            measures.setdefault(row.measure, {})[row.size] = _estimate(row.estimate)
    return nested


def _estimate(estimate: Estimate) -> dict[str, float | int | None]:
    return _rounded(asdict(estimate))


def _ratio(small: Cost, large: Cost) -> dict[str, float | int | None]:
    """How many times the first model's cost, by the names of `Cost`."""
    one, other = asdict(small), asdict(large)
    return _rounded({name: other[name] / one[name] if one[name] else float("nan") for name in one})


def _rounded(values: dict[str, float | int]) -> dict[str, float | int | None]:
    """For JSON, which knows no NaN."""
    return {
        name: value if isinstance(value, int) else rounded(value) for name, value in values.items()
    }
