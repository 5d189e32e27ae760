"""What is on the device just now."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """A launch on the device.

    Attributes:
        expected_ms: by the cost table.
    """

    expected_ms: float
