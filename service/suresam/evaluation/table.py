"""The figures as text for a terminal."""

from collections.abc import Iterable, Sequence

from suresam.columns import aligned
from suresam.evaluation.figures import (
    CANDIDATES_TOGETHER,
    JUDGED,
    SIZES,
    UNREACHED,
    WANTED_IOU,
    WHERE_GRABCUT,
)
from suresam.evaluation.measuring import BASELINES
from suresam.evaluation.questions import CLICK_TOP, QUESTIONS
from suresam.evaluation.rows import told
from suresam.evaluation.run import Evaluation

_IN_SIZES = (CLICK_TOP, "click_best_of_three", "three_clicks", "box")
_AGREEMENT = {
    "pearson": "Pearson",
    "spearman": "Spearman",
    "mean_absolute_error": "mean |error|",
    "mean_signed_error": "mean error (+ too sure)",
    "expected_calibration_error": "calibration error",
}

_Row = Sequence[str]


def format_table(evaluation: Evaluation) -> str:
    """All figures with their intervals, in blocks with a heading each; no line break at the end."""
    measured = evaluation.measured
    models = list(measured.models)
    pairs = [f"{other} - {models[0]}" for other in models[1:]]
    num_images = len(set(measured.image_ids))
    lines = [
        f"{evaluation.dataset.name}: {len(measured.targets)} targets of {num_images} pictures, "
        f"seed {evaluation.choice.seed}; means with 95 % intervals, resampling pictures",
    ]
    for measure, title in (("iou", "mean IoU"), ("boundary_f", "mean boundary F")):
        rows = [[title, *models, *pairs]]
        rows += [
            [words, *(_cell(evaluation, who, question, measure) for who in (*models, *pairs))]
            for question, words in QUESTIONS.items()
        ]
        lines += ["", *aligned(rows)]
    lines += ["", *aligned(_clicks(evaluation, models))]
    lines += ["", *aligned(_predicted(evaluation, models))]
    lines += ["", *aligned(_sizes(evaluation, models))]
    if measured.baselines:
        lines += ["", *aligned(_baselines(evaluation))]
    lines += ["", *aligned(_costs(evaluation, models))]
    return "\n".join(lines)


def _clicks(evaluation: Evaluation, models: list[str]) -> Iterable[_Row]:
    name = f"iou_{WANTED_IOU}"
    yield [f"clicks to IoU {WANTED_IOU} (not within six: {UNREACHED})", *models]
    yield ["mean number", *(_cell(evaluation, w, "clicks", f"clicks_to_{name}") for w in models)]
    reached = (_cell(evaluation, who, "clicks", f"reached_{name}") for who in models)
    yield ["share that reaches it", *reached]
    rises = ("yes" if evaluation.figures.rises_with_clicks(who) else "no" for who in models)
    yield ["every click up to six raises mean IoU", *rises]


def _predicted(evaluation: Evaluation, models: list[str]) -> Iterable[_Row]:
    yield ["predicted against true IoU", *models]
    words = QUESTIONS | {CANDIDATES_TOGETHER: "one click, all three"}
    for question in (*JUDGED, CANDIDATES_TOGETHER):
        for measure, title in _AGREEMENT.items():
            cells = (_cell(evaluation, who, question, measure) for who in models)
            yield [f"{words[question]}: {title}", *cells]


def _sizes(evaluation: Evaluation, models: list[str]) -> Iterable[_Row]:
    yield ["mean IoU by share of the picture", *SIZES]
    for who in models:
        for question in _IN_SIZES:
            cells = (_cell(evaluation, who, question, "iou", size) for size in SIZES)
            yield [f"{who}: {QUESTIONS[question]}", *cells]
    found = [evaluation.figures.find(models[0], CLICK_TOP, size=size) for size in SIZES]
    yield ["targets", *("0" if one is None else str(one.num_targets) for one in found)]


def _baselines(evaluation: Evaluation) -> Iterable[_Row]:
    yield ["baselines (settings chosen on these very targets)", "mean IoU", "mean boundary F", ""]
    for name in evaluation.measured.baselines:
        cells = (_cell(evaluation, name, name, measure) for measure in ("iou", "boundary_f"))
        asked = evaluation.figures.find(name, name)
        count = 0 if asked is None else asked.num_targets
        is_partial = 0 < count < len(evaluation.measured.targets)
        yield [BASELINES[name], *cells, f"{count} targets" if is_partial else ""]
        if name == "grabcut" and is_partial:
            yield from _beside_grabcut(evaluation, f"{count} targets")


def _beside_grabcut(evaluation: Evaluation, count: str) -> Iterable[_Row]:
    measures = (f"iou{WHERE_GRABCUT}", f"boundary_f{WHERE_GRABCUT}")
    for who in evaluation.measured.models:
        cells = (_cell(evaluation, who, "box", measure) for measure in measures)
        yield [f"(box of {who} on these targets)", *cells, count]


def _costs(evaluation: Evaluation, models: list[str]) -> Iterable[_Row]:
    first = evaluation.costs[models[0]]
    yield ["cost of one picture and one click", "encode ms", "decode ms", "GFLOPs", "x encode"]
    for who in models:
        cost = evaluation.costs[who]
        yield [
            who,
            f"{cost.encode_ms:.1f}",
            f"{cost.decode_ms:.1f}",
            f"{cost.encode_gflops:.2f} + {cost.decode_gflops:.2f}",
            f"{cost.encode_ms / first.encode_ms:.2f}",
        ]


def _cell(evaluation: Evaluation, who: str, question: str, measure: str, size: str = "all") -> str:
    return told(evaluation.figures.find(who, question, measure, size))
