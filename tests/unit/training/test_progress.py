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


def test_counted_work_is_told_in_lines_every_now_and_then_and_at_its_end(tmp_path):
    out = io.StringIO()
    reporter = ProgressReporter(out, tmp_path / "log.jsonl")
    for done in range(0, 101, 25):
        reporter.count("pictures prepared", done, 100)
    assert out.getvalue().splitlines() == [
        "pictures prepared 25 of 100",
        "pictures prepared 100 of 100",
    ]
    assert not (tmp_path / "log.jsonl").exists()


def test_counted_work_has_a_bar_of_its_own_on_a_terminal(tmp_path):
    out = Terminal()
    reporter = ProgressReporter(out, tmp_path / "log.jsonl")
    reporter.count("scenes drawn", 50, 100)
    reporter.count("scenes drawn", 100, 100)
    reporter.step("encoder", 1, 0.5, {"loss": 2.0})
    reporter.close()
    assert "scenes drawn 100/100" in out.getvalue()
    assert "encoder  50%" in out.getvalue()


def test_other_entries_join_the_log_rounded(tmp_path):
    reporter = ProgressReporter(io.StringIO(), tmp_path / "log.jsonl")
    reporter.log({"stage": "joint", "step": 3, "held_out_top_iou": 0.123456})
    [line] = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line) == {"stage": "joint", "step": 3, "held_out_top_iou": 0.1235}
