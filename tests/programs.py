"""Programs that tests of the deployment run, which `make tools` brings."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_FOLDERS = (Path(sys.executable).parent, ROOT / ".tools/usr/bin")


def program(name: str) -> str:
    """Where a program is; without it the test is skipped, but fails in CI."""
    beside = os.pathsep.join(map(str, _FOLDERS))
    found = shutil.which(name, path=beside) or shutil.which(name)
    if found is not None:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed, and CI has to run this: `make tools`")
    pytest.skip(f"{name} is not installed; `make tools` brings it")
