"""What the documents tell people to type."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TOLD = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "service").rglob("*.py")),
    *sorted((ROOT / "tests" / "bench").rglob("*.py")),
]


def test_nobody_is_told_to_install_from_an_index_that_does_not_have_it():
    wrong = re.compile(r"pip install [^\n]*\bsuresam\[")
    assert [str(path) for path in TOLD if wrong.search(path.read_text())] == []
