"""Tables and figures of a model card, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Lines of a table."""
    yield "| " + " | ".join(heading) + " |"
    yield "|" + "---|" * len(heading)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def told(estimate: Mapping[str, Any] | None, scale: float = 1, digits: int = 3) -> str:
    """An estimate as a report has it, with its interval; a hyphen where there is none."""
    if estimate is None or estimate["value"] is None:
        return "-"
    numbers = (estimate[name] for name in ("value", "low", "high"))
    value, low, high = (None if n is None else f"{scale * n:.{digits}f}" for n in numbers)
    return f"{value}" if low is None else f"{value} [{low}, {high}]"  # of a single picture
