"""What is left of a file when all is taken away that its pixels do not need."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BareFile:
    """A file as a decoder gets it.

    Attributes:
        data: the file without metadata.
        orientation: 1 to 8 as the metadata told it; None if they did not.
        is_animated: whether there were further frames.
    """

    data: bytes
    orientation: int | None = None
    is_animated: bool = False
