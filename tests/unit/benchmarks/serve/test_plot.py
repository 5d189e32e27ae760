"""What of a load test is a point of the load curve."""

import pytest

pytest.importorskip("matplotlib")

from suresam.benchmarks.serve.load_test import Phase
from suresam.benchmarks.serve.measurements import measure
from suresam.benchmarks.serve.plot import load_curve


def phase(name: str, rate: float | None) -> Phase:
    return Phase(name, rate, 2.0, measure([], 2.0, 200), None, None, 1.0, False, [])


def test_a_recovery_is_no_point_of_the_load_curve():
    phases = [
        phase("capacity", None),
        phase("before", 80.0),
        phase("overload", 300.0),
        phase("recovery", 50.0),
    ]
    assert [each.name for each in load_curve(phases)] == ["before", "overload"]


def test_the_load_curve_goes_from_the_least_to_the_most_that_was_offered():
    rates = [30.0, 10.0, 20.0]
    assert [each.rate for each in load_curve([phase(f"{r}/s", r) for r in rates])] == [10, 20, 30]
