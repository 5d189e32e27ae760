"""What routing buys, as text for a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suresam.columns import aligned
from suresam.evaluation.bootstrap import Estimate
from suresam.evaluation.costs import Cost
from suresam.evaluation.route.figures import (
    AREA,
    IOU,
    MOST,
    POLICIES,
    POLICY,
    REACH,
    REALISED,
    RIVALS,
    SHARES,
    Figure,
    Routes,
)
from suresam.evaluation.route.operating import USUAL, OperatingPoint
from suresam.evaluation.rows import told
from suresam.evaluation.usam.tables import told_percent


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Everything about one group of requests.

    Attributes:
        routes: the ways through them.
        members: by name, mean IoU of who always answers.
        figures: of `figures.judge_routes`.
        points: of `operating.operating_points`.
    """

    routes: Routes
    members: Mapping[str, Estimate]
    figures: Sequence[Figure]
    points: Sequence[OperatingPoint]


def request_gflops(cost: Cost) -> float:
    """Arithmetic of a new picture and one prompt, 1e9 operations."""
    return cost.encode_gflops + cost.decode_gflops


def request_ms(cost: Cost) -> float:
    """Milliseconds of the same, as measured."""
    return cost.encode_ms + cost.decode_ms


def break_even(costs: Sequence[float]) -> float:
    """What escalating may spend, as a share of asking the last member about every request, before
    it costs as much as asking nobody else from the start.

    Args:
        costs: of one request to each member.
    """
    return 1 - costs[0] / costs[-1]


def drawn_before(spent: float, costs: Sequence[float]) -> float:
    """The share of requests that the last member answers at equal cost if lots are drawn before
    anybody is asked, and not after the first member has answered.

    Args:
        spent: by escalating, as a share of asking the last member about every request.
        costs: of one request to each member.
    """
    return min(1.0, spent / break_even(costs))


def format_routes(judged: Mapping[str, Judged], costs: Mapping[str, Cost]) -> str:
    """A block for each group of requests, then what the members cost."""
    work = [request_gflops(cost) for cost in costs.values()]
    blocks = [_format_group(group, found, work) for group, found in judged.items()]
    return "\n\n".join([*blocks, "\n".join(aligned(_costs(costs)))])


def _format_group(group: str, found: Judged, work: Sequence[float]) -> str:
    always = ", ".join(f"always {name} {told(e)}" for name, e in found.members.items())
    heading = f"{group}: {len(found.routes.cases.iou)} requests, mean IoU {always}"
    curves = aligned([_HEADING, *_policies(found), *_lots(work)])
    blocks = (curves, aligned(_ious(found)), aligned(_answering(found, work)))
    return "\n".join([heading, "\n\n".join("\n".join(block) for block in blocks)])


_AT_SHARES = tuple(f"{share:.0%} escalated" for share in SHARES)
_HEADING = ("realised share of the gain in %", "area", f"{MOST:.0%} of it at", *_AT_SHARES)


def _policies(found: Judged) -> list[tuple[str, ...]]:
    columns = (AREA, REACH, *REALISED.values())
    rows = [
        (POLICIES[name], *(_percent(found, name, None, measure) for measure in columns))
        for name in found.routes.ways
    ]
    for rival in _rivals(found):
        cells = (_percent(found, POLICY, rival, measure) for measure in columns)
        rows.append((f"expected gain - {POLICIES[rival]}", *cells))
    return rows


def _lots(work: Sequence[float]) -> list[tuple[str, ...]]:
    random = tuple(f"{100 * share:.1f}" for share in SHARES)
    before = tuple(f"{100 * drawn_before(share, work):.1f}" for share in SHARES)
    spent = tuple(f"{work[0] + share * work[-1]:.2f}" for share in SHARES)
    return [
        ("random", "0.0", f"{100 * MOST:.1f}", *random),
        ("random before anybody is asked, equal cost", "", "", *before),
        ("mean cost, GFLOP", "", "", *spent),
    ]


def _ious(found: Judged) -> list[tuple[str, ...]]:
    rows = [("mean IoU", *_AT_SHARES)]
    for name in found.routes.ways:
        rows.append((POLICIES[name], *(told(_find(found, name, None, m)) for m in IOU.values())))
    for rival in _rivals(found):
        cells = (told(_find(found, POLICY, rival, measure), "+") for measure in IOU.values())
        rows.append((f"expected gain - {POLICIES[rival]}", *cells))
    return rows


def _rivals(found: Judged) -> list[str]:
    return [rival for rival in RIVALS if rival in found.routes.ways]


def _find(found: Judged, policy: str, against: str | None, measure: str) -> Estimate:
    wanted = (policy, against, measure)
    return next(f.estimate for f in found.figures if (f.policy, f.against, f.measure) == wanted)


def _percent(found: Judged, policy: str, against: str | None, measure: str) -> str:
    estimate = _find(found, policy, against, measure)
    if estimate.value != estimate.value:
        return "-"
    return told_percent(estimate, "" if against is None else "+")


def _answering(found: Judged, work: Sequence[float]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("who answers", "min_gain", *found.members, "mean IoU", "realised", "mean cost, GFLOP")
    ]
    start, *_, end = (e.value for e in found.members.values())
    for point in found.points:
        name = "unless told otherwise" if point.name == USUAL else f"for {point.name} escalated"
        shares = (f"{share:.1%}" for share in point.answered.values())
        realised = "-" if end <= start else f"{(point.iou - start) / (end - start):.1%}"
        cost = f"{work[0] + point.spent * work[-1]:.2f}"
        rows.append((name, f"{point.min_gain:.4f}", *shares, f"{point.iou:.3f}", realised, cost))
    return rows


def _costs(costs: Mapping[str, Cost]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("cost of a new picture and one prompt", "GFLOP", "ms here", "x GFLOP", "x ms")
    ]
    first = next(iter(costs.values()))
    for name, cost in costs.items():
        work, time = request_gflops(cost), request_ms(cost)
        ratios = (work / request_gflops(first), time / request_ms(first))
        rows.append((name, f"{work:.2f}", f"{time:.1f}", *(f"{ratio:.2f}" for ratio in ratios)))
    return rows
