import io

import numpy as np

from suresam.evaluation import progress
from suresam.evaluation.progress import tell_progress
from suresam.evaluation.targets import Picture, Target


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def pictures(count: int) -> list[Picture]:
    image, truth = np.zeros((2, 2, 3), np.uint8), np.ones((2, 2), bool)
    return [Picture(str(i), image, (Target(i, 0, truth),) * 2) for i in range(count)]


def test_a_terminal_gets_a_bar_and_a_file_lines(monkeypatch):
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0.0)
    terminal, file = Terminal(), io.StringIO()
    assert len(list(tell_progress(pictures(3), 6, terminal))) == 3
    assert "6/6" in terminal.getvalue()
    assert len(list(tell_progress(pictures(3), 6, file))) == 3
    assert file.getvalue().splitlines()[-1] == "6 of at most 6 targets"


def test_short_work_is_not_talked_about():
    file = io.StringIO()
    list(tell_progress(pictures(3), 6, file))
    assert file.getvalue() == ""
