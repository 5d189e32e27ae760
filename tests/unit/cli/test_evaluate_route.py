"""`suresam evaluate route`: what it refuses, on the last line and before any picture."""

import pytest

from suresam.cli import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no data set nowhere"),
        (["scenes:2", "--threads", "0"], "--threads=0"),
        (["scenes:2", "--models", "sam2.1"], "family sam2.1 expects no gains"),
        (["scenes:2", "--models", "demo-large"], "demo-large is alone: there is nobody to route"),
        (["scenes:2", "--calibration", "none"], "none.json"),
    ],
)
def test_what_cannot_be_routed_is_told(tmp_path, capsys, words, message):
    out = tmp_path / "out"
    assert main(["evaluate", "route", *words, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not out.exists()
