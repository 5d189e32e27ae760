import json
import logging

import pytest

from suresam.api.request_log import log_failure
from suresam.app.logs import JsonLines
from suresam.errors import InvalidPrompt, Overloaded, ServiceError


@pytest.fixture
def lines(caplog):
    caplog.set_level("INFO", "suresam")
    return lambda: [json.loads(JsonLines().format(record)) for record in caplog.records]


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
