"""Made records of shadow mode."""

import numpy as np

from suresam.routing.shadow.comparison import Comparison
from suresam.routing.shadow.record import ComparedModels, Record

MODELS = ComparedModels("tiny", "huge", "0" * 64, "1" * 64, "2" * 64, "fitted", "3" * 64)


def comparison(prompt="one_click", expected=0.05, gain=0.1):
    return Comparison(prompt, True, True, expected, 0.5, 0.6, 0.8, 0.9, gain, 10.0, 90.0)


def comparisons(count, prompt="one_click", gain_of=lambda expected: expected, noise=0.05, seed=0):
    """Expected gains of 0 to 0.1, and what came of them."""
    rng = np.random.default_rng(seed)
    expected = rng.uniform(0, 0.1, count)
    gains = np.clip(gain_of(expected) + rng.normal(0, noise, count), -1, 1)
    return [
        comparison(prompt, e, g) for e, g in zip(expected.tolist(), gains.tolist(), strict=True)
    ]


def record(*parts, models=MODELS):
    return Record([c for part in parts for c in part], {models: "record.jsonl, line 1"}, 0)
