"""How long latency stays abnormal after too much was asked."""

from collections.abc import Iterable

import numpy as np

from suresam.benchmarks.serve.exchange import OK, Exchange
from suresam.benchmarks.serve.measurements import percentile

BIN_S = 0.5
"""Seconds that are judged together."""


def seconds_until_normal(
    exchanges: Iterable[Exchange], seconds: float, normal_ms: float
) -> float | None:
    """After how many seconds of a phase the clicks' latency is normal and stays so.

    Args:
        exchanges: of the phase; clicks count by the time at which they were to be sent.
        seconds: its length.
        normal_ms: a half second is normal if at least half of its clicks were answered OK within
            so many milliseconds; one without clicks says nothing.

    Returns:
        The end of the last half second that was not normal: 0 if all were normal; None if the
        last one with clicks was not.
    """
    num_bins = max(1, int(np.ceil(seconds / BIN_S)))
    bins: list[list[float]] = [[] for _ in range(num_bins)]
    for exchange in exchanges:
        if exchange.kind == "click":
            latency = exchange.latency_ms if exchange.code == OK else float("inf")
            bins[min(int(exchange.intended_s / BIN_S), num_bins - 1)].append(latency)
    middles = [(i, percentile(latencies, 50)) for i, latencies in enumerate(bins) if latencies]
    abnormal = [i for i, middle in middles if middle is not None and middle > normal_ms]
    if not abnormal:
        return 0.0
    if abnormal[-1] == middles[-1][0]:
        return None
    return (abnormal[-1] + 1) * BIN_S
