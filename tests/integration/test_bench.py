"""`suresam bench uncertainty` as a process."""

from integration.conftest import run_suresam


def test_every_way_is_timed_beside_the_plain_one():
    told = run_suresam(
        "bench", "uncertainty", "--models", "demo-small", "--untrained", "--rounds", "2",
        "--device", "cpu",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    lines = [line.split() for line in told.stdout.splitlines()]
    assert lines[0][0] == "processor"
    rows = {" ".join(w for w in line if not w[0].isdigit() or w in "85"): line for line in lines}
    assert rows["plain"][-3::2] == ["1.000", "1.000"]
    for name in ("+ entropy", "+ all heads", "+ entropy and heads", "8 prompts"):
        first_ms, first_ratio, next_ms, next_ratio = map(float, rows[name][-4:])
        assert first_ms > next_ms > 0
        assert first_ratio > 0
        assert next_ratio > 0
    assert rows["5 image augmentations - -"][-2:] == ["-", "-"]
