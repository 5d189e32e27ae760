"""Rows of text as aligned columns."""

from collections.abc import Iterable, Sequence


def aligned(rows: Iterable[Sequence[str]], *, left: int = 1) -> list[str]:
    """One line for each row, cells two spaces apart.

    Args:
        rows: with equally many cells each.
        left: how many columns, from the first on, are aligned to the left; numbers want the right.
    """
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
