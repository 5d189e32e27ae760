import math
import runpy
from pathlib import Path

import pytest

from suresam.domain import RouteRequest
from suresam.errors import ConfigurationError
from suresam.routing.budget import BudgetTerms
from suresam.routing.decision_log import Decided, DecisionLog, Spent, Started, read_log
from suresam.routing.judge import Judge
from suresam.routing.policy import Bounds, Decision, Evidence

STARTED = Started(("tiny", "huge"), Bounds(400.0), BudgetTerms(0.2, "device_time"))
DECIDED = Decided(
    3,
    Evidence({"huge": 0.1 + 0.2}, {"tiny": 1.0, "huge": None}, 1 / 3, 9e3, 0.0, True),
    RouteRequest("auto", 0.05, 60.0),
    "huge",
    Decision("huge", "expected_gain", 0.1 + 0.2),
)
SPENT = Spent(3, 12.5, "overloaded")


def test_what_is_read_is_what_was_written_to_the_last_digit(tmp_path):
    path = tmp_path / "decisions.jsonl"
    for events in ((STARTED, DECIDED), (STARTED, SPENT)):  # a service that was started again
        log = DecisionLog(path)
        for event in events:
            log(event)
        log.close()
    assert list(read_log(path)) == [STARTED, DECIDED, STARTED, SPENT]


def test_the_readmes_script_makes_the_decisions_again(tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    script = tmp_path / "replay.py"
    script.write_text(readme.split("<!-- replay.py -->\n```python\n")[1].split("```")[0])
    log = DecisionLog(tmp_path / "decisions.jsonl")
    judge = Judge(STARTED.members, STARTED.bounds, STARTED.budget, observer=log)
    judge.judge(DECIDED.evidence, DECIDED.route)
    log.close()
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    assert capsys.readouterr().out.endswith(" the same\n")


def test_a_log_that_is_not_there_is_told_before_it_is_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_log(str(tmp_path / "nowhere"))


def test_a_gain_that_is_no_number_is_one_that_is_no_number_when_it_is_read(tmp_path):
    log = DecisionLog(tmp_path / "log")
    log(Decided(0, Evidence({"huge": math.nan}, {}, 0.0, 1.0), RouteRequest(), None, SAYS_NOTHING))
    log.close()
    [decided] = read_log(tmp_path / "log")
    assert math.isnan(decided.evidence.gains["huge"])
    assert "NaN," not in (tmp_path / "log").read_text()  # which would be no JSON


SAYS_NOTHING = Decision(None, "no_gain_estimate", None)


def test_a_log_goes_on_where_it_was_moved_away(tmp_path):
    path = tmp_path / "log"
    log = DecisionLog(path)
    path.rename(tmp_path / "log.1")
    log(SPENT)
    log.close()
    assert list(read_log(path)) == [SPENT]


def test_what_is_no_event_is_told_with_its_line(tmp_path):
    path = tmp_path / "log"
    path.write_text('{"event":"spent","number":0,"spent_ms":1.0}\n{"event":"stolen"}\n')
    with pytest.raises(ValueError, match=r"log, line 2: .*'stolen'"):
        list(read_log(path))


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match=r"decision_log=.*nowhere/log: cannot be written"):
        DecisionLog(tmp_path / "nowhere" / "log")
