"""`suresam bench uncertainty` and `device`: what they refuse, on one line, with exit status 2."""

import pytest

from suresam.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["uncertainty", "--rounds", "0"], "--rounds=0"),
        (["uncertainty", "--models", "nobody"], "no family 'nobody'"),
        (["uncertainty", "--image", "no.jpg"], "no.jpg"),
        (["device", "--repeats", "0"], "--repeats=0"),
        (["device", "--images", "1,none"], "--images='1,none'"),
        (["device", "--dtype", "float16"], "--dtype='float16'"),
        (["device", "--peak-tflops", "-1"], "--peak-tflops=-1"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(arguments, message, capsys):
    assert main(["bench", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_figures_of_a_device_that_cannot_be_written_are_refused_before_it_is_timed(
    tmp_path, capsys
):
    assert main(["bench", "device", "--out", str(tmp_path / "missing" / "x.json")]) == 2
    assert "cannot write" in capsys.readouterr().err
