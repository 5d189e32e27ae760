import pytest
from heads import calibration_of

from suresam.errors import CheckpointError
from suresam.uncertainty.calibration import Curve, Interval, read_calibration, write_calibration


def test_a_curve_is_straight_between_its_points_and_flat_beyond():
    curve = Curve((0.0, 1.0, 3.0), (0.2, 0.4, 0.8))
    assert [curve(x) for x in (-1, 0, 0.5, 2, 9)] == pytest.approx([0.2, 0.2, 0.3, 0.6, 0.8])


@pytest.mark.parametrize(
    ("x", "y"), [((), ()), ((1.0,), (1.0, 2.0)), ((1.0, 1.0), (0.0, 1.0)), ((0.0, 1.0), (1.0, 0.0))]
)
def test_a_curve_that_does_not_rise_is_refused(x, y):
    with pytest.raises(CheckpointError, match="does not rise"):
        Curve(x, y)


def test_an_interval_follows_the_range_and_stays_within_0_and_1():
    interval = Interval((0.5,), (-0.2, -0.1), (0.3, 0.05))
    assert interval.around(0.4) == pytest.approx((0.2, 0.7))
    assert interval.around(0.5) == pytest.approx((0.4, 0.55))
    assert interval.around(0.1) == pytest.approx((0.0, 0.4))
    assert interval.around(0.98) == pytest.approx((0.88, 1.0))
    for edges, low in (((0.5,), (0.0,)), ((0.5, 0.4), (0.0, 0.0, 0.0))):
        with pytest.raises(CheckpointError, match="fit together"):
            Interval(edges, low, (0.0,) * 3)


def test_a_file_gives_back_what_was_written(tmp_path):
    calibration = calibration_of("fake-small", "fake-large")
    write_calibration(calibration, tmp_path / "c.json")
    assert read_calibration(tmp_path / "c.json") == calibration


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "no", "Invalid JSON"),
        (lambda text: text.replace('"level"', '"levels"'), "level: Field required"),
        (lambda text: text.replace("0.9", "NaN"), r"c\.json"),
        (lambda text: text.replace("1.5", "-1.5"), r"c\.json: a curve .* does not rise"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, change, message):
    path = tmp_path / "c.json"
    with pytest.raises(CheckpointError, match=r"cannot read .*c\.json"):
        read_calibration(path)
    write_calibration(calibration_of("fake-small"), path)
    path.write_text(change(path.read_text()))
    with pytest.raises(CheckpointError, match=message):
        read_calibration(path)
