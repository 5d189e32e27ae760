"""`suresam bench uncertainty` as a process."""

import subprocess

from integration.conftest import COMMAND, ROOT


def bench(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, "bench", "uncertainty", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=110,
    )  # fmt: skip


def test_every_way_is_timed_beside_the_plain_one():
    told = bench("--models", "demo-small", "--untrained", "--rounds", "2", "--device", "cpu")
    assert told.returncode == 0, told.stderr
    lines = [line.split() for line in told.stdout.splitlines()]
    assert lines[0][0] == "processor"
    rows = {" ".join(w for w in line if not w[0].isdigit() or w in "85"): line for line in lines}
    assert rows["plain"][-3::2] == ["1.000", "1.000"]
    for name in ("+ entropy", "+ all heads", "+ entropy and heads", "8 prompts"):
        first_ms, first_ratio, next_ms, next_ratio = map(float, rows[name][-4:])
        assert first_ms > next_ms > 0
        assert first_ratio > 0.1
        assert next_ratio > 0.1
    assert rows["5 image augmentations - -"][-2:] == ["-", "-"]


def test_wrong_use_is_told_on_one_line(tmp_path):
    for words, message in (
        (("--rounds", "0"), "--rounds=0"),
        (("--models", "nobody"), "no family 'nobody'"),
        (("--image", str(tmp_path / "no.jpg")), "no.jpg"),
    ):
        told = bench(*words)
        assert told.returncode == 2
        assert message in told.stderr
        assert told.stderr.count("\n") == 1
