"""Inputs by Hypothesis, as many as an attack has time for and new ones for every seed."""

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st


def try_examples(
    check: Callable[[Any], None], inputs: st.SearchStrategy[Any], random: Random, count: int
) -> None:
    """Try so many inputs; one that fails is made small."""

    @seed(random.getrandbits(32))
    @settings(
        max_examples=count,
        derandomize=False,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def run(given_input: Any) -> None:
        check(given_input)

    run()
