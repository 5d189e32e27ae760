"""The model card of a family: what it was made of and how good it is, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from suresam.segmentation.manifests import ModelManifest
from suresam.training.card_table import table, told
from suresam.training.family_judging import HeadResults
from suresam.training.family_plan import FamilyPlan
from suresam.training.uncertainty_card import uncertainty_lines

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
    yield from table(["", *names], _training_rows(manifests))
    for report in reports:
        yield ""
        yield from _report_lines(report, names)
    if heads is not None:
        yield from uncertainty_lines(heads)


def _training_rows(manifests: Sequence[ModelManifest]) -> Iterable[list[str]]:
    def row(title: str, value: Any) -> list[str]:
        return [title, *(str(value(m.architecture, m.provenance)) for m in manifests)]

    yield row("input, px", lambda a, p: a.input_size)
    yield row("parameters", lambda a, p: f"{p['num_parameters']:,}")
    yield row("training, h", lambda a, p: p["training_hours"])
    yield row("joint steps", lambda a, p: f"{p['joint_steps']:,}")
    yield row("views seen", lambda a, p: f"{p['data']['views_seen']:,}")
    yield row("started from", lambda a, p: _start(p["init_from"]))
    yield row("training scenes", lambda a, p: f"{p['recipe']['scenes']:,}")
    yield row("scene seeds", lambda a, p: "from {:,} to {:,}".format(*_scene_seeds(p)))
    yield row("seed", lambda a, p: p["seed"])
    yield row("machine", lambda a, p: f"{p['device']}, {p['processes']} processes, {p['machine']}")
    yield row("commit", lambda a, p: p["commit"])


def _start(told: dict[str, Any] | None) -> str:
    if told is None:
        return "nothing"
    averaged = ", averaged with it" if told.get("averaged_with_it") else ""
    return Path(told["file"]).stem + averaged


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
    yield from table(
        ["mean IoU", *columns],
        (
            [report["words"][question],
             *(told(figures[question]["iou"]["all"]) for figures in columns.values())]
            for question in _SHOWN
        ),
    )  # fmt: skip
    yield ""
    yield from table(
        ["one click, highest predicted IoU", *names],
        (
            [title, *(told(report["models"][name]["figures"]["click_top"][measure]["all"])
                      for name in names)]
            for measure, title in _AGREEMENT.items()
        ),
    )  # fmt: skip
    yield ""
    yield from table(["cost, times the first member's", *pairs], _cost_rows(report, pairs))
    if report["baselines"]:
        yield ""
        yield from table(
            ["baseline (settings chosen on these very targets)", "mean IoU"],
            (
                [report["words"][name], told(baseline["figures"]["iou"]["all"])]
                for name, baseline in report["baselines"].items()
            ),
        )


def _cost_rows(report: Report, pairs: Sequence[str]) -> Iterable[list[str]]:
    ratios = [report["differences"][pair]["cost_ratio"] for pair in pairs]
    for name, title in (("encode_ms", "encode, time"), ("encode_gflops", "encode, arithmetic"),
                        ("decode_ms", "decode, time")):  # fmt: skip
        yield [title, *(f"{ratio[name]:.1f}" for ratio in ratios)]
