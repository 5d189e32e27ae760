import io
import json

from suresam.training import progress
from suresam.training.progress import ProgressReporter


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_lines_and_a_log_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0.0)
    out, log = io.StringIO(), tmp_path / "log.jsonl"
    reporter = ProgressReporter(out, log)
    reporter.step("joint", 1, 0.1, {"loss": 2.0, "input_size": 128})
    reporter.step("joint", 2, 0.2, {"loss": 1.0, "input_size": 256})
    reporter.note("done")
    assert out.getvalue().splitlines()[-1] == "done"
    assert "\r" not in out.getvalue()
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [1, 2]
    assert entries[1]["loss"] == 1.5
    assert entries[1]["input_size"] == 256


def test_a_bar_on_a_terminal(tmp_path):
    out = Terminal()
    reporter = ProgressReporter(out, tmp_path / "log.jsonl")
    reporter.step("encoder", 1, 0.5, {"loss": 2.0})
    reporter.close()
    assert "encoder  50%" in out.getvalue()
    assert "loss=2.000" in out.getvalue()
