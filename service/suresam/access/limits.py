"""How much a key may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """Bounds on one tenant; None is no bound.

    Attributes:
        requests_per_s: requests a second in the long run, and prompts of an open stream.
        burst: requests at once after a pause; None is one second's worth, at least 1.
        concurrent: requests in progress, of which an open stream is one.
        device_ms_per_s: milliseconds of device time a second in the long run. Every launch is
            charged when it is done, by its rows: who is in debt is refused until it is paid.
        large_share: part of the requests in auto mode that may go to a larger member, 0 to 1.
    """

    requests_per_s: float | None = None
    burst: int | None = None
    concurrent: int | None = None
    device_ms_per_s: float | None = None
    large_share: float | None = None
