"""`suresam train` where its extra was not installed."""

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["scipy"] = None
from suresam.cli import main
sys.exit(main(["train", "segmenter", "--config", "demo-small", "--out", "m.safetensors"]))
"""


def test_a_missing_extra_is_one_line_and_exit_2(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=110
    )
    assert told.returncode == 2
    assert told.stderr.startswith("suresam: this command needs scipy")
    assert told.stderr.count("\n") == 1
