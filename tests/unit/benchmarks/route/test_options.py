import pytest

from suresam.benchmarks.route.options import RouteOptions
from suresam.errors import ConfigurationError


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"low": 0.0}, "--low=0 must be over 0"),
        ({"capacity": float("nan")}, "--capacity=nan must be over 0"),
        ({"deadline_ms": -1.0}, "--deadline-ms=-1 must be over 0"),
        ({"rounds": 0}, "--rounds=0 must be at least 1"),
        ({"clicks": float("inf")}, "--clicks=inf must be at least 1"),
        ({"size": 63}, "--size=63 must be at least 64"),
        ({"seed": -1}, "--seed=-1 must be at least 0"),
        ({"low": 2.0}, "--low=2 must be under --overload=2"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name_and_value(changes, told):
    with pytest.raises(ConfigurationError, match=told):
        RouteOptions(**changes)
