"""When visitors come: times fixed before the first request is sent."""

import numpy as np
from numpy.typing import NDArray


def arrival_times(
    rate: float, start_s: float, end_s: float, burstiness: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Arrivals whose gaps are drawn independently of each other and of any answer.

    Args:
        rate: arrivals a second, in the mean; may be 0.
        start_s, end_s: between which seconds they fall, the end excluded.
        burstiness: coefficient of variation of the gaps: 1 is a Poisson process, 2 to 4 are
            bursts with pauses between them.
        rng: draws the gaps.

    Returns:
        Seconds, ascending.

    Source: gaps of a Gamma distribution, as vLLM's `bench serve` and aiperf draw them.
    """
    shape = burstiness**-2
    times: list[float] = []
    now = start_s
    while rate > 0:
        now += rng.gamma(shape, 1 / (rate * shape))
        if now >= end_s:
            break
        times.append(now)
    return np.array(times)
