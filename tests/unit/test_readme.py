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
    blocks = re.finditer(r"^```\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    first = next(b.start() for b in blocks if re.search("^(suresam|python) ", b[1], re.MULTILINE))
    assert where < min(first, readme.index("```python"))
