"""Clicks with what came back, as far as routing is concerned."""

from collections.abc import Sequence
from dataclasses import dataclass

from suresam.benchmarks.serve.aim import Aim
from suresam.benchmarks.serve.exchange import OK, Exchange, Receipt
from suresam.domain import Rle
from suresam.evaluation.overlap import intersection_over_union
from suresam.masks.rle import decode_rle


@dataclass(frozen=True, slots=True)
class RoutedClick:
    """One click.

    Attributes:
        round: in which it was sent, from 0.
        intended_s: when, in seconds since its phase began.
        aim: where to; None if it was not sent.
        code: `OK`, or the error.
        latency_ms: from the intended time.
        receipt: who answered and why; None without an answer.
        iou: of the best mask with what was meant; None without a mask.
    """

    round: int
    intended_s: float
    aim: Aim | None
    code: str
    latency_ms: float
    receipt: Receipt | None
    iou: float | None


def routed_clicks(exchanges: Sequence[Exchange], round_number: int) -> list[RoutedClick]:
    """The clicks of a phase, in the order of their plan.

    Raises:
        ValueError: a server sent run lengths that are none, or of another size.
    """
    clicks = [e for e in exchanges if e.kind == "click"]
    return [
        RoutedClick(
            round_number, e.intended_s, e.aim, e.code, e.latency_ms, e.receipt,
            None if e.aim is None else _iou(e.mask, e.aim.truth),
        )
        for e in sorted(clicks, key=lambda click: click.intended_s)
    ]  # fmt: skip


def answered(clicks: Sequence[RoutedClick]) -> list[RoutedClick]:
    """Those that got masks, with a receipt."""
    return [click for click in clicks if click.code == OK and click.receipt is not None]


def _iou(mask: Rle | None, truth: Rle | None) -> float | None:
    if mask is None or truth is None:
        return None
    if mask.size != truth.size:
        raise ValueError(f"a mask of {mask.size} where the picture has {truth.size}")
    return intersection_over_union(decode_rle(mask), decode_rle(truth))
