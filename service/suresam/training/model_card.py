"""The model card of a family: what it was made of and how good it is, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from suresam.evaluation.calibration.judging import MEASURES as CALIBRATION_MEASURES
from suresam.evaluation.usam.cases import MEASURES
from suresam.segmentation.manifests import ModelManifest
from suresam.training.family_heads import HeadResults
from suresam.training.family_plan import FamilyPlan

BEGIN = "<!-- written by `suresam train family`: begin -->"
END = "<!-- written by `suresam train family`: end -->"
"""What stands between these lines is replaced; everything else is a person's and stays."""

_SHOWN = (
    "click_top", "click_best_of_three", "two_clicks", "three_clicks", "four_clicks", "six_clicks",
    "eight_clicks_at_once", "box", "box_corners_only", "box_and_click", "coarse_mask_and_click",
)  # fmt: skip

_AGREEMENT = {
    "pearson": "predicted against true IoU, Pearson",
    "mean_signed_error": "mean of predicted minus true IoU",
}

Report = Mapping[str, Any]


def card_text(
    card: str | None,
    plan: FamilyPlan,
    manifests: Sequence[ModelManifest],
    reports: Sequence[Report],
    machine: Mapping[str, str],
    heads: HeadResults | None = None,
) -> str:
    """A card, or one that is there with its marked part brought up to date.

    Args:
        card: the text that is there, or None.
        manifests: of the members, with their provenance.
        reports: `evaluation.describe` of every data set.
        machine: on which costs were measured.
        heads: what was found out about the family's heads, or None.
    """
    made = "\n".join(_lines(plan, manifests, reports, machine, heads))
    text = f"# {plan.name}\n\n{BEGIN}\n{END}\n" if card is None else card
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        before, after = text.rstrip() + "\n\n", "\n"
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def _lines(
    plan: FamilyPlan,
    manifests: Sequence[ModelManifest],
    reports: Sequence[Report],
    machine: Mapping[str, str],
    heads: HeadResults | None,
) -> Iterable[str]:
    names = [manifest.name for manifest in manifests]
    yield plan.description
    yield ""
    told = "; ".join(f"{name} {value}" for name, value in machine.items())
    yield f"Licence: {plan.licence}. Measured on: {told}."
    yield ""
    yield "## How it was trained"
    yield ""
    yield from _table(["", *names], _training_rows(manifests))
    for report in reports:
        yield ""
        yield from _report_lines(report, names)
    if heads is not None:
        yield ""
        yield from _calibration_lines(heads)
        for judgement in heads.reports:
            yield ""
            yield from _judgement_lines(judgement)


def _training_rows(manifests: Sequence[ModelManifest]) -> Iterable[list[str]]:
    def row(title: str, value: Any) -> list[str]:
        return [title, *(str(value(m.architecture, m.provenance)) for m in manifests)]

    yield row("input, px", lambda a, p: a.input_size)
    yield row("parameters", lambda a, p: f"{p['num_parameters']:,}")
    yield row("training, h", lambda a, p: p["training_hours"])
    yield row("joint steps", lambda a, p: f"{p['joint_steps']:,}")
    yield row("views seen", lambda a, p: f"{p['data']['views_seen']:,}")
    yield row(
        "started from", lambda a, p: Path((p["init_from"] or {"file": "nothing"})["file"]).stem
    )
    yield row("training scenes", lambda a, p: f"{p['recipe']['scenes']:,}")
    yield row("scene seeds", lambda a, p: "from {:,} to {:,}".format(*_scene_seeds(p)))
    yield row("seed", lambda a, p: p["seed"])
    yield row("machine", lambda a, p: f"{p['device']}, {p['processes']} processes, {p['machine']}")
    yield row("commit", lambda a, p: p["commit"])


def _scene_seeds(provenance: Mapping[str, Any]) -> tuple[int, int]:
    first, end = provenance["data"]["training_scene_seeds"]
    return first, end - 1


def _report_lines(report: Report, names: Sequence[str]) -> Iterable[str]:
    targets, intervals = report["targets"], report["intervals"]
    level = f"{100 * intervals['level']:.0f} %"
    yield f"## On {report['dataset']['name']}"
    yield ""
    yield (
        f"{targets['num_measured']} targets of {targets['images_measured']} pictures, each at "
        f"least {100 * targets['min_share']:g} % of its picture. Mean IoU with {level} "
        f"intervals by resampling pictures."
    )
    yield ""
    pairs = list(report["differences"])
    columns: dict[str, Report] = {
        **{name: report["models"][name]["figures"] for name in names},
        **{pair: report["differences"][pair]["figures"] for pair in pairs},
    }
    yield from _table(
        ["mean IoU", *columns],
        (
            [report["words"][question],
             *(_interval(figures[question]["iou"]["all"]) for figures in columns.values())]
            for question in _SHOWN
        ),
    )  # fmt: skip
    yield ""
    yield from _table(
        ["one click, highest predicted IoU", *names],
        (
            [title, *(_interval(report["models"][name]["figures"]["click_top"][measure]["all"])
                      for name in names)]
            for measure, title in _AGREEMENT.items()
        ),
    )  # fmt: skip
    yield ""
    yield from _table(["cost, times the first member's", *pairs], _cost_rows(report, pairs))
    if report["baselines"]:
        yield ""
        yield from _table(
            ["baseline (settings chosen on these very targets)", "mean IoU"],
            (
                [report["words"][name], _interval(baseline["figures"]["iou"]["all"])]
                for name, baseline in report["baselines"].items()
            ),
        )


def _calibration_lines(heads: HeadResults) -> Iterable[str]:
    calibration = heads.calibration
    yield f"## Calibration {calibration.name}"
    yield ""
    yield (
        f"Fitted on {calibration.dataset}, drawn for this purpose. Figures of one that was fitted "
        f"on half of these scenes, on the other half, over all masks of all kinds of prompts. The "
        f"interval is to hold {100 * calibration.level:g} % of them."
    )
    yield ""
    yield from _table(["", *heads.figures], _measure_rows(heads.figures))


def _measure_rows(figures: Mapping[str, Mapping[str, Any]]) -> Iterable[list[str]]:
    """Estimates, or what a report has of them."""
    for name, words in CALIBRATION_MEASURES.items():
        cells = (member[name] for member in figures.values())
        yield [words, *(_interval(c if isinstance(c, Mapping) else asdict(c)) for c in cells)]


def _judgement_lines(report: Report) -> Iterable[str]:
    """The tables as a service can know them; a column for each table and member."""
    rows = [row for row in report["tables"] if row["view"] == "known"]
    columns = list(dict.fromkeys((row["table"], row["member"]) for row in rows))
    cells = {(r["table"], r["member"], r["measure"], r["against"]): r for r in rows}
    targets = report["targets"]
    yield f"## Uncertainty on {report['dataset']}"
    yield ""
    yield (
        f"{targets['clicks']:,} centre clicks on {targets['pictures']:,} pictures. Which of them "
        f"would the large member, seven more clicks, or the best of the three masks improve? "
        f"Relative area under the supervision curve in %, 50 by chance and 100 at best, as a "
        f"service can know it: for the mask of highest predicted IoU."
    )
    yield ""
    kinds = list(dict.fromkeys((row["measure"], row["against"]) for row in rows))
    yield from _table(
        ["", *(f"{table}, {member}" for table, member in columns)],
        (
            [MEASURES[measure] + ("" if against is None else f" - {MEASURES[against]}"),
             *(_percent(cells.get((*column, measure, against))) for column in columns)]
            for measure, against in kinds
        ),
    )  # fmt: skip
    if report["calibration"]:
        yield ""
        yield "Calibration, over all masks of all kinds of prompts:"
        yield ""
        yield from _table(["", *report["calibration"]], _measure_rows(report["calibration"]))


def _percent(estimate: Report | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "-"
    numbers = [estimate[name] for name in ("value", "low", "high")]
    value, low, high = ("-" if n is None else f"{100 * n:.1f}" for n in numbers)
    return f"{value} [{low}, {high}]"


def _cost_rows(report: Report, pairs: Sequence[str]) -> Iterable[list[str]]:
    ratios = [report["differences"][pair]["cost_ratio"] for pair in pairs]
    for name, title in (("encode_ms", "encode, time"), ("encode_gflops", "encode, arithmetic"),
                        ("decode_ms", "decode, time")):  # fmt: skip
        yield [title, *(f"{ratio[name]:.1f}" for ratio in ratios)]


def _interval(estimate: Report) -> str:
    if estimate["value"] is None:
        return "-"
    if estimate["low"] is None:  # a single picture
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield "| " + " | ".join(heading) + " |"
    yield "|" + "---|" * len(heading)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
