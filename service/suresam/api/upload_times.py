"""How long an upload may take, over both transports."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UploadTimes:
    """Bounds on a client that sends slowly, or no more.

    Attributes:
        max_idle_s: seconds between two pieces of an upload.
        max_total_s: seconds for all of it.
    """

    max_idle_s: float = 30.0
    max_total_s: float = 300.0
