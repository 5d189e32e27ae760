"""Rows of text as aligned columns."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: bool) -> list[str]:
    """One line for each row, cells two spaces apart.

    Args:
        rows: with equally many cells each.
        right: align cells to the right, as numbers want it.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    justify = str.rjust if right else str.ljust
    return [
        "  ".join(justify(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
