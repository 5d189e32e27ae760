"""One offered rate after the other."""

from collections.abc import Sequence
from dataclasses import replace

from suresam.benchmarks.serve.load_test import LoadTest, Phase, Step
from suresam.benchmarks.serve.visits import Load

CAPACITY_SHARES = (0.25, 0.5, 0.75, 1.0, 1.25)
"""What is offered, of the measured capacity, where nobody says what."""


async def sweep(test: LoadTest, load: Load, rates: Sequence[float], seconds: float) -> list[Phase]:
    """Offer each rate for some seconds, and wait for all answers before the next.

    Args:
        test: of the server.
        load: its rate is replaced.
        rates: clicks a second.
        seconds: of each.
    """
    phases: list[Phase] = []
    for rate in rates:
        step = Step(f"{rate:.3g}/s", replace(load, rate=rate), seconds)
        phases += await test.offer([step])
    return phases
