"""What the cheap and the expensive answer to a click were, and what was known before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.observations.mixtures import BEST, TOP
from suresam.evaluation.observations.plan import PROMPTS
from suresam.uncertainty.answer_scores import DECODER, answer_scores
from suresam.uncertainty.head_info import MODEL_GAP, PROMPT_GAP, TASK_GAP
from suresam.uncertainty.head_reading import DERIVED, HeadReading
from suresam.uncertainty.heads import UsamHeads

View = Literal["known", "truth"]
VIEWS: dict[View, str] = {
    "known": "as a service knows it: the mask of highest predicted IoU",
    "truth": "as upstream measured: the mask that turned out best",
}
TABLES = {
    "model": "the first member's answer, or the last one's",
    "prompt": "one click, or eight on the same thing",
    "task": "the mask of highest predicted IoU, or the best of the three",
}
"""Tables by name: which answer is cheap, and which expensive."""

_GAPS = {"model": MODEL_GAP, "prompt": PROMPT_GAP, "task": TASK_GAP}
_MIXED = {"model": "h_theta", "prompt": "h_xp", "task": "h_a"}
MEASURES = {
    "sam_score": "SamScore",
    "entropy": "Entropy",
    "h_y": "H_Y",
    "h_theta": "H_Theta",
    "h_a": "H_A",
    "h_xp": "H_Xp",
    "delta": "Delta",
    "delta_star": "Delta*",
    "calibrated": "Calibrated",
}
"""Rows of the tables: in all of them, or in that of their own kind of doubt."""

Values = NDArray[np.float64]
Observed = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """N clicks, one way of paying for a better answer.

    Attributes:
        picture: (N,) int, whose they are.
        cheap, expensive: (N,) IoU of either answer.
        scores: by the names of `MEASURES`, (N,); higher is paid for sooner.
    """

    picture: NDArray[np.int64]
    cheap: Values
    expensive: Values
    scores: dict[str, Values]

    @property
    def gain(self) -> Values:
        """What the expensive answer adds, (N,)."""
        return self.expensive - self.cheap


@dataclass(frozen=True, slots=True, eq=False)
class Clicks:
    """Everything that was observed of the centre clicks, and what the heads say of it.

    Attributes:
        observed: fields of `observations.store`, centre clicks only.
        heads: for every member the heads of all its masks by name, (N, T) each; empty without
            heads.
        gains: for every member what a calibration expects of them, likewise; empty without one.
        own_heads: names of every member's own IoU head.
    """

    observed: Observed
    heads: Sequence[Mapping[str, Values]]
    gains: Sequence[Mapping[str, Values]]
    own_heads: Sequence[str]


def read_clicks(
    observed: Observed, heads: UsamHeads | None, readings: Sequence[HeadReading]
) -> Clicks:
    """Keep the centre clicks and ask the heads about their masks.

    Args:
        observed: as `ObservationStore.read` gives it.
        heads: of the family, or None.
        readings: of every member.
    """
    is_centre = observed["prompt"] == PROMPTS.index("centre_click")
    kept = {name: values[is_centre] for name, values in observed.items()}
    if heads is None:
        return Clicks(kept, [], [], [])
    said = [
        reading.named(score_observed(heads, kept, member))
        for member, reading in enumerate(readings)
    ]
    gains = [_gains(kept, said[m], reading, m) for m, reading in enumerate(readings)]
    return Clicks(kept, said, gains, [reading.own_head for reading in readings])


def _gains(
    kept: Observed, named: Mapping[str, Values], reading: HeadReading, member: int
) -> dict[str, Values]:
    """What a service would tell; nothing without a calibration."""
    if reading.calibrated is None:
        return {}
    decoder = {name: kept[name][:, member].astype(np.float64) for name in DECODER}
    scores = dict(named) | answer_scores(decoder)
    return reading.calibrated.one_click.told_gains(scores)


def cases_of(clicks: Clicks, table: str, view: View, member: int) -> Cases:
    """The cases of a table, seen from one member.

    Args:
        table: of `TABLES`; "model" is seen from the first member only.
        view: of `VIEWS`.
        member: whose answers and scores.
    """
    observed = clicks.observed
    token = _token(observed, view, member)
    iou = observed["iou"].astype(np.float64)
    cheap = _at(iou[:, member], token)
    if table == "model":
        last = iou.shape[1] - 1
        expensive = _at(iou[:, last], _token(observed, view, last))
    elif table == "prompt":
        dense = observed["dense_iou"][:, member].astype(np.float64)
        # Eight clicks leave no choice, so a service answers them with one mask.
        single = observed["dense_single_token"][:, member].astype(np.int64)
        expensive = _at(dense, single) if view == "known" else dense[:, 1:].max(1)
    else:
        cheap = _at(iou[:, member], _token(observed, "known", member))
        expensive = iou[:, member, 1:].max(1)
    kind = TOP if view == "known" else BEST
    mixed = {
        "h_theta": observed["h_model"][:, kind],
        "h_xp": observed["h_prompt"][:, member, kind],
        "h_a": observed["h_task"][:, member],
    }
    scores = {
        "sam_score": -_at(observed["predicted_iou"][:, member], token),
        "entropy": _at(observed["entropy"][:, member], token),
        "h_y": observed["h_all"],
        _MIXED[table]: mixed[_MIXED[table]],
    }
    if clicks.heads:
        said = {"delta": _GAPS[table] + DERIVED, "delta_star": _GAPS[table]}
        scores |= {
            name: _at(clicks.heads[member][head], token)
            for name, head in said.items()
            if head in clicks.heads[member]
        }
        if _GAPS[table] in clicks.gains[member]:
            scores["calibrated"] = _at(clicks.gains[member][_GAPS[table]], token)
    return Cases(
        observed["picture"],
        cheap,
        expensive,
        {name: np.asarray(scores[name], np.float64) for name in MEASURES if name in scores},
    )


def own_scores(clicks: Clicks, view: View, member: int) -> tuple[Values, Values | None]:
    """(N,) IoU of a member's mask in a view, and what its own IoU head says; None without heads."""
    token = _token(clicks.observed, view, member)
    iou = _at(clicks.observed["iou"][:, member], token).astype(np.float64)
    if not clicks.heads:
        return iou, None
    return iou, _at(clicks.heads[member][clicks.own_heads[member]], token)


def _token(observed: Observed, view: View, member: int) -> NDArray[np.int64]:
    """(N,) the decoder token whose mask is looked at, 1 to 3."""
    by = observed["predicted_iou" if view == "known" else "iou"]
    token: NDArray[np.int64] = by[:, member, 1:].argmax(1) + 1
    return token


def _at(values: NDArray[Any], token: NDArray[np.int64]) -> NDArray[Any]:
    """(N,) of (N, T)."""
    picked: NDArray[Any] = np.take_along_axis(values, token[:, None], 1)[:, 0]
    return picked
