import pytest

from suresam.benchmarks.serve.options import LoadOptions, parse_rates
from suresam.benchmarks.serve.visits import Load
from suresam.errors import ConfigurationError


def options(**changed) -> LoadOptions:
    load = {"rate": 0.0} | {key: changed.pop(key) for key in list(changed) if key in _LOAD}
    return LoadOptions(Load(**load), sizes=((64, 48),), **changed)


_LOAD = ("burstiness", "mean_clicks", "think_s", "bulk", "cancel", "stall")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rates": (5.0, 0.0)}, "--rates=0 must be over 0"),
        ({"rates": (float("inf"),)}, "--rates=inf"),
        ({"seconds": 0.0}, "--seconds=0"),
        ({"goal_ms": float("nan")}, "--goal-ms=nan"),
        ({"max_lag_ms": -1.0}, "--max-lag-ms=-1"),
        ({"timeout": 0.0}, "--timeout=0"),
        ({"deadline_ms": 0.0}, "--deadline-ms=0 must be over 0"),
        ({"think_s": 0.0}, "--think=0"),
        ({"burstiness": 0.0}, "--burstiness=0"),
        ({"mean_clicks": 0.5}, "--clicks=0.5 must be at least 1"),
        ({"people": 0}, "--people=0 must be at least 1"),
        ({"overload": 1.0}, "--overload=1 must be over 1"),
        ({"seed": -1}, "--seed=-1"),
        ({"bulk": 0.5, "cancel": 0.5}, "--bulk=0.5, --cancel=0.5 and --stall=0.02"),
        ({"stall": -0.1}, "--stall=-0.1"),
        ({"rates": (5.0,), "people": 2}, "excludes --people"),
        ({"rates": (5.0,), "overload": 2.0}, "--overload"),
    ],
)
def test_wrong_values_are_refused_by_name(changed: dict[str, object], message: str):
    with pytest.raises(ConfigurationError, match=message):
        options(**changed)


def test_right_values_pass():
    options(rates=(0.5, 100.0), bulk=0.0, cancel=0.0, stall=0.0, mean_clicks=1.0)
    options(overload=1.5, people=4)


def test_rates_are_read():
    assert parse_rates("5,10,20.5") == (5.0, 10.0, 20.5)
    for text in ("", "5,", "five"):
        with pytest.raises(ConfigurationError, match="--rates"):
            parse_rates(text)
