"""What attacks tried, how it was answered, and the table of it."""

from collections import Counter
from dataclasses import dataclass, field

import grpc

_DOCUMENTED_5XX = (503, 504)
_OF_GRPC = {
    grpc.StatusCode.OK: "2xx",
    grpc.StatusCode.UNAVAILABLE: "5xx",
    grpc.StatusCode.DEADLINE_EXCEEDED: "5xx",
}
_UNDOCUMENTED = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS)

_COLUMNS = ("attack", "tried", "2xx", "4xx", "5xx", "closed", "faults", "MiB", "peak", "after")


@dataclass(slots=True)
class Tally:
    """Counts of one attack.

    Attributes:
        attack: its name.
        answers: how often, by the class of status; "closed" is a connection that ended without one.
        faults: what must not have happened, in words.
        mib: resident memory before, at its most and after.
        extra_inputs: those that have no answer of their own.
        notes: other figures, in words.
    """

    attack: str
    answers: "Counter[str]" = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    mib: tuple[float, float, float] = (0.0, 0.0, 0.0)
    extra_inputs: int = 0
    notes: list[str] = field(default_factory=list)

    def answered(self, status: int | grpc.StatusCode | None, about: object = "") -> None:
        """Count an input by its answer; a status that is not documented is a fault.

        Args:
            status: of HTTP or gRPC; None where the connection was closed instead.
            about: the input, for the report of a fault.
        """
        if status is None:
            self.answers["closed"] += 1
            return
        if isinstance(status, grpc.StatusCode):
            is_fault = status in _UNDOCUMENTED
            kind = "5xx" if is_fault else _OF_GRPC.get(status, "4xx")
        else:
            is_fault = status >= 500 and status not in _DOCUMENTED_5XX
            kind = f"{status // 100}xx"
        self.answers[kind] += 1
        if is_fault:
            self.fault(f"{status} for {str(about)[:500]}")

    def sent(self, count: int) -> None:
        """Count inputs that have no answer of their own, such as frames."""
        self.extra_inputs += count

    def note(self, text: str) -> None:
        """Tell a figure under the table."""
        self.notes.append(text)

    def fault(self, text: str) -> None:
        """Note what must not have happened; the test fails at its end."""
        self.faults.append(text)

    @property
    def num_tried(self) -> int:
        """All inputs."""
        return self.extra_inputs + sum(self.answers.values())

    def row(self) -> tuple[str, ...]:
        """Of the table."""
        before, peak, after = self.mib
        counts = [str(self.answers[kind]) for kind in ("2xx", "4xx", "5xx", "closed")]
        memory = [f"{mib:.0f}" for mib in (before, peak, after)]
        return (self.attack, str(self.num_tried), *counts, str(len(self.faults)), *memory)


def table(tallies: list[Tally]) -> list[str]:
    """Lines of Markdown, with a sum."""
    total = Tally("all")
    for tally in tallies:
        total.answers.update(tally.answers)
        total.faults += tally.faults
        total.extra_inputs += tally.extra_inputs
        first, peak, _ = total.mib
        total.mib = (first or tally.mib[0], max(peak, tally.mib[1]), tally.mib[2])
    rows = [_COLUMNS, *(tally.row() for tally in [*tallies, total])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    notes = [f"{tally.attack}: {note}" for tally in tallies for note in tally.notes]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return [*lines, *notes]
