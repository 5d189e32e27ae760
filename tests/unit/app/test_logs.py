import json
import logging

import pytest

from suresam.access.caller import TENANT
from suresam.api.request_log import ACCESS, ADDRESS, log_answer, log_failure
from suresam.app.logs import JsonLines, log_to_stderr
from suresam.errors import InvalidPrompt, Overloaded, ServiceError
from suresam.settings import Settings


@pytest.fixture
def lines(caplog):
    caplog.set_level("INFO", "suresam")
    token = TENANT.set(None)  # doors that other tests opened have left theirs
    yield lambda: [json.loads(JsonLines().format(record)) for record in caplog.records]
    TENANT.reset(token)


def test_a_record_is_one_line_of_json_with_its_time_in_utc():
    record = logging.LogRecord("suresam.x", 30, "", 0, "%d\nlines", (2,), None)
    record.created, record.msecs = 1_700_000_000.25, 250.0
    text = JsonLines().format(record)
    assert "\n" not in text
    assert json.loads(text) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "suresam.x",
        "message": "2\nlines",
    }


def test_what_is_wrong_with_a_request_is_told_by_its_code_alone(lines):
    """Its message repeats the prompt."""
    error = InvalidPrompt("point x=700 lies outside the image (width 640 px)")
    assert log_failure(error, "mine") is error
    [line] = lines()
    assert (line["message"], line["request_id"]) == ("request mine: invalid_prompt", "mine")


def test_what_is_wrong_with_the_service_is_told_in_full(lines):
    log_failure(Overloaded("the answer would take 300 ms", 1.0), "mine")
    [line] = lines()
    assert line["message"] == "request mine: overloaded: the answer would take 300 ms"


def test_a_fault_of_ours_leaves_its_stack_and_tells_the_caller_nothing(lines):
    try:
        raise KeyError("secret")
    except KeyError as error:
        told = log_failure(error, "mine", "one prompt of request")
    assert type(told) is ServiceError
    assert "secret" not in told.message
    [line] = lines()
    assert (line["level"], line["request_id"]) == ("error", "mine")
    assert "KeyError: 'secret'" in line["exception"]


@pytest.fixture
def known():
    """Whose request the current task answers."""
    tokens = TENANT.set("clinic"), ADDRESS.set(lambda: "10.0.0.7")
    yield {"tenant": "clinic", "address": "10.0.0.7"}
    TENANT.reset(tokens[0])
    ADDRESS.reset(tokens[1])


def test_a_failure_tells_whose_it_was(lines, known):
    log_failure(Overloaded("the answer would take 300 ms", 1.0), "mine")
    log_failure(InvalidPrompt("point x=700"), "mine", "one prompt of request")
    log_failure(KeyError("odd"), "mine")
    assert [line["message"] for line in lines()] == [
        "request mine (tenant clinic, address 10.0.0.7): overloaded: the answer would take 300 ms",
        "one prompt of request mine (tenant clinic, address 10.0.0.7): invalid_prompt",
        "request mine (tenant clinic, address 10.0.0.7) failed",
    ]
    codes = ["overloaded", "invalid_prompt", "internal"]
    assert [line["code"] for line in lines()] == codes
    assert all(line.items() >= known.items() for line in lines())


def test_an_answer_is_logged_only_on_demand(lines, known, caplog):
    log_answer("mine", "rest", "POST /v1/segment", "ok", 0.0)
    assert not lines()
    caplog.set_level("INFO", ACCESS)
    log_answer("mine", "rest", "POST /v1/segment", "ok", 0.0)
    [line] = lines()
    who = "tenant clinic, address 10.0.0.7"
    start = f"request mine ({who}): rest POST /v1/segment: ok after "
    assert line["message"].startswith(start)
    assert line.items() >= {**known, "request_id": "mine", "api": "rest", "code": "ok"}.items()
    assert (line["method"], line["ms"] > 0) == ("POST /v1/segment", True)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_the_setting_asks_for_it(is_wanted, monkeypatch):
    access = logging.getLogger(ACCESS)
    before = access.level
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    log_to_stderr(Settings(access_log=is_wanted, log_level="warning"))
    asked = access.isEnabledFor(logging.INFO)
    access.setLevel(before)
    assert asked is is_wanted
