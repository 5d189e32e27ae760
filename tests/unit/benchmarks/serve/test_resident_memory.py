import subprocess
import sys
from pathlib import Path

import pytest

from suresam.benchmarks.serve.resident_memory import resident_bytes

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")

_HOLD = "import sys; held = bytearray(64 * 2**20); print('ready', flush=True); sys.stdin.read()"
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_HOLD!r}])"


@pytest.mark.parametrize("script", [_HOLD, _PARENT])
def test_a_process_counts_with_its_children(script):
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        resident = resident_bytes(process.pid)
        process.stdin.close()
    assert 64 * 2**20 < resident < 128 * 2**20


def test_a_process_that_is_not_there_has_none():
    assert resident_bytes(2**22 + 1) is None
