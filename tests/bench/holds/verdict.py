"""Whether something holds, with the figure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the report.

    Attributes:
        what: was measured.
        found: the figure.
        needed: the bound on it.
        holds: whether it is kept.
    """

    what: str
    found: str
    needed: str
    holds: bool

    def line(self) -> str:
        return f"{'holds ' if self.holds else 'MISSED'}  {self.what}: {self.found} ({self.needed})"
