"""From a calibrated family and a data set to what routing buys, as files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from numpy.typing import NDArray

from suresam.datasets import Dataset
from suresam.domain import RouteRequest
from suresam.errors import ConfigurationError
from suresam.evaluation.advice.cases import KINDS
from suresam.evaluation.bootstrap import LEVEL, NUM_RESAMPLES, ImageBootstrap
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.costs import Cost, measure_cost
from suresam.evaluation.observations.collecting import collect
from suresam.evaluation.observations.plan import ObservationPlan
from suresam.evaluation.progress import tell_counts
from suresam.evaluation.route.cases import PROMPT_GROUPS, Cases, cases_of
from suresam.evaluation.route.figures import first_at, judge_routes, routes_of
from suresam.evaluation.route.operating import operating_points
from suresam.evaluation.route.plot import draw_routes
from suresam.evaluation.route.table import (
    Judged,
    drawn_before,
    format_routes,
    request_gflops,
    request_ms,
)
from suresam.evaluation.rows import estimate_row, rounded, write_csv
from suresam.evaluation.targets import TargetChoice, chosen_pictures
from suresam.machine import describe_machine
from suresam.outputs import prepare_folder
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads

OBSERVATIONS, REPORT, TABLE, CURVES, TEXT, PLOT = (
    "observations",
    "report.json",
    "route.csv",
    "curves.csv",
    "route.txt",
    "route.png",
)
_CORNERS = np.linspace(0, 1, 101)
"""Where the curves are told in `curves.csv`."""


def evaluate_route(
    members: Sequence[Contestant],
    heads: UsamHeads,
    readings: Sequence[HeadReading],
    dataset: Dataset,
    choice: TargetChoice,
    out: Path,
    stream: TextIO,
    *,
    threads: int = 1,
    circumstances: dict[str, Any] | None = None,
) -> str:
    """Observe, judge, and write `route.txt`, `route.png`, two CSV and `report.json`.

    Observations stay in the folder, so that an interrupted run goes on.

    Args:
        members: of a family, cheapest first.
        heads: of that family.
        readings: of every member.
        dataset: annotated pictures that neither members, heads nor calibration learned from.
        choice: which targets.
        out: folder for everything.
        stream: where progress is told.
        threads: processes that observe.
        circumstances: command and the like, for the report.

    Returns:
        The tables as text.

    Raises:
        ConfigurationError: one member alone, no calibration, no usable target, a folder of another
            run, members that are not in the order of their costs.
        NonFiniteOutput: a member answered with NaN or infinity.
    """
    names = [member.manifest.name for member in members]
    if len(names) < 2:
        raise ConfigurationError(f"{names[0]} is alone: there is nobody to route to")
    if readings[0].calibrated is None:
        raise ConfigurationError(
            f"{names[0]} expects no gain without a calibration: make one with `suresam calibrate`"
        )
    prepare_folder(out)
    costs = _measured(members, next(chosen_pictures(dataset, choice)).image)
    with tell_counts("pictures", stream) as tell:
        store = collect(
            out / OBSERVATIONS, dataset, members, choice, ObservationPlan(tuple(KINDS)),
            workers=threads, progress=tell,
        )  # fmt: skip
    cases = cases_of(store.read(), heads, readings[0], names)
    print("judging: resampling pictures for the intervals", file=stream, flush=True)
    judged = judge_groups(cases, costs, choice.seed)
    title = (
        f"routing on {dataset.name}: {len(cases.iou)} requests "
        f"({', '.join(KINDS).replace('_', ' ')}) on {len(set(cases.picture.tolist()))} pictures"
    )
    text = format_routes(judged, costs)
    report = (circumstances or {}) | {
        "machine": describe_machine(),
        "members": {
            m.manifest.name: {"sha256": m.sha256, "device": m.predictor.backbone.device}
            for m in members
        },
        "calibration": readings[0].calibration,
        "dataset": dataset.name,
        "targets": asdict(choice) | {"requests": len(cases.iou)},
        "intervals": {"level": LEVEL, "resamples": NUM_RESAMPLES, "resampled": "images"},
        "costs": {name: _rounded(asdict(cost)) for name, cost in costs.items()},
        "always": [
            {"requests": group, "member": name, **estimate_row(e, "prompts")}
            for group, found in judged.items()
            for name, e in found.members.items()
        ],
        "figures": [
            {"requests": group, "policy": f.policy, "against": f.against, "measure": f.measure,
             **estimate_row(f.estimate, "prompts")}
            for group, found in judged.items() for f in found.figures
        ],
        "operating_points": [
            {"requests": group, "name": p.name, "min_gain": rounded(p.min_gain),
             "answered": _rounded(p.answered), "iou": rounded(p.iou), "spent": rounded(p.spent)}
            for group, found in judged.items() for p in found.points
        ],
    }  # fmt: skip
    work = [request_gflops(cost) for cost in costs.values()]
    try:
        (out / REPORT).write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
        (out / TEXT).write_text(f"{title}\n\n{text}\n")
        write_csv(out / TABLE, report["figures"])
        write_csv(out / CURVES, curve_rows(judged, costs))
        (out / PLOT).write_bytes(draw_routes(judged, work, title))
    except OSError as error:
        raise ConfigurationError(f"cannot write into {out}: {error.strerror}") from error
    return f"{title}\n\n{text}"


def _measured(members: Sequence[Contestant], image: NDArray[np.uint8]) -> dict[str, Cost]:
    """What every member costs, on a CPU by one thread, as the processes that observe have."""
    threads = torch.get_num_threads()
    # Threads that wait for each other are many times slower where others work on the machine too.
    torch.set_num_threads(1)
    try:
        return {m.manifest.name: measure_cost(m.predictor, image) for m in members}
    finally:
        torch.set_num_threads(threads)


def judge_groups(cases: Cases, costs: Mapping[str, Cost], seed: int = 0) -> dict[str, Judged]:
    """Everything about every group of requests that there is, by its name.

    Args:
        cases: of all of them.
        costs: of every member, cheapest first.
        seed: of the intervals.

    Raises:
        ConfigurationError: see `routes_of`.
    """
    names, work = list(costs), [request_gflops(cost) for cost in costs.values()]
    found: dict[str, Judged] = {}
    together = tuple(place for places in PROMPT_GROUPS.values() for place in places)
    for group, places in {**PROMPT_GROUPS, "points and boxes": together}.items():
        mine = cases.of(places)
        if not len(mine.iou) or (places == together and len(found) < len(PROMPT_GROUPS)):
            continue
        routes = routes_of(mine, names, work)
        bootstrap = ImageBootstrap(mine.picture, seed)
        found[group] = Judged(
            routes,
            {name: bootstrap.mean(mine.iou[:, place]) for place, name in enumerate(names)},
            judge_routes(routes, seed),
            operating_points(routes, names, work, RouteRequest().min_gain),
        )
    return found


def curve_rows(
    judged: Mapping[str, Judged], costs: Mapping[str, Cost]
) -> list[dict[str, str | float | None]]:
    """The curves as rows, and the lots that are drawn before anybody is asked beside them."""
    work = [request_gflops(cost) for cost in costs.values()]
    times = [request_ms(cost) for cost in costs.values()]
    rows: list[dict[str, str | float | None]] = []
    for group, found in judged.items():
        start, *_, end = (e.value for e in found.members.values())
        even = np.ones((1, len(found.routes.cases.iou)))
        lines: dict[str, NDArray[np.float64]] = {
            "random": _CORNERS * (end - start),
            "random_before": np.array([drawn_before(x, work) * (end - start) for x in _CORNERS]),
        }
        for name, way in found.routes.ways.items():
            spent, gained = (np.repeat(c, len(_CORNERS), 0) for c in way.curve(even))
            lines[name] = first_at(spent, gained, _CORNERS)
        rows += [
            {
                "requests": group, "policy": name, "spent": rounded(float(x)),
                "mean_gflops": rounded(work[0] + float(x) * work[-1]),
                "mean_ms": rounded(times[0] + float(x) * times[-1]),
                "mean_iou": rounded(start + float(gain)),
                "realised": rounded(float(gain) / (end - start)) if end > start else None,
            }
            for name, line in lines.items() for x, gain in zip(_CORNERS, line, strict=True)
        ]  # fmt: skip
    return rows


def _rounded(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: rounded(value) for name, value in values.items()}
