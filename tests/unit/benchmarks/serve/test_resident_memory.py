import os
import subprocess
import sys
from pathlib import Path

import pytest

from suresam.benchmarks.serve.resident_memory import resident_bytes

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")

_HOLD = "import sys; held = bytearray(64 * 2**20); print('ready', flush=True); sys.stdin.read()"


def test_a_process_counts_with_its_children():
    alone = resident_bytes(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        both, one = resident_bytes(os.getpid()), resident_bytes(child.pid)
        child.stdin.close()
    assert one > 64 * 2**20
    assert both >= alone + 60 * 2**20


def test_a_process_that_is_not_there_has_none():
    assert resident_bytes(2**22 + 1) is None
