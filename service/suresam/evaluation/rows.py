"""Figures as rows of a report: four digits, and null for what is not known."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suresam.evaluation.bootstrap import Estimate

_DIGITS = 4


def rounded(value: float) -> float | None:
    """Four digits, which JSON can hold; None for NaN."""
    return None if value != value else round(value, _DIGITS)


def told(estimate: Estimate | None, sign: str = "") -> str:
    """A figure with its interval, for people; without it of a single picture.

    Args:
        estimate: None, or NaN, gives a hyphen.
        sign: "+" to tell the sign of every number.
    """
    if estimate is None or estimate.value != estimate.value:
        return "-"
    numbers = (estimate.value, estimate.low, estimate.high)
    value, low, high = (f"{number:{sign}.3f}" for number in numbers)
    return value if estimate.low != estimate.low else f"{value} [{low}, {high}]"


def estimate_row(estimate: Estimate, counted: str) -> dict[str, float | int | None]:
    """An estimate with its interval and what it rests on.

    Args:
        estimate: of a report.
        counted: what its targets are called there, such as "clicks" or "masks".
    """
    return {
        "value": rounded(estimate.value),
        "low": rounded(estimate.low),
        "high": rounded(estimate.high),
        counted: estimate.num_targets,
        "pictures": estimate.num_images,
    }


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with equal keys as a CSV with a heading; at least one.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
