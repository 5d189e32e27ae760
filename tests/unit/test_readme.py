"""What the documents tell people to type."""

import re
from pathlib import Path

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


def test_the_environment_is_activated_before_it_is_used():
    readme = (ROOT / "README.md").read_text()
    where = readme.index(". .venv/bin/activate")
    first = re.search(r"^suresam (segment|serve|keys|bench) ", readme, re.MULTILINE)
    assert where < min(first.start(), readme.index("```python"))


def test_no_key_is_written_where_others_can_read_it():
    readme = (ROOT / "README.md").read_text()
    assert readme.index("umask 077") < readme.index("> clinic.key")
