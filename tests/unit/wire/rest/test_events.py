"""Results as lines of text, and back, however the bytes are cut."""

import json

import pytest

from suresam.wire.rest import EventReader, done_event, result_event


def read(*pieces):
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def test_a_result_is_three_lines_and_an_empty_one(answers):
    for answer in answers:
        kind, place, data, *rest = result_event(answer).decode().split("\n")
        assert (kind, place) == ("event: result", f"id: {answer.index}")
        assert len(json.loads(data.removeprefix("data: "))["results"]) == 1
        assert rest == ["", ""]


def test_the_end_says_how_many_results_there_were():
    assert done_event(3) == b'event: done\ndata: {"results":3}\n\n'


@pytest.mark.parametrize("size", [1, 7, 10**9])
def test_events_survive_however_they_are_cut(answers, size):
    body = b"".join(map(result_event, answers)) + done_event(2)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    *results, done = read(*pieces)
    assert [repr(result.answer()) for result in results] == [repr(answer) for answer in answers]
    assert [result.name for result in results] == ["result", "result"]
    assert (done.name, done.id, json.loads(done.data)) == ("done", "", {"results": 2})


def test_comments_other_fields_and_other_line_ends_are_passed_over():
    body = b": still here\n\nretry: 5\nevent:done\r\ndata:x\r\n\r\nevent: cut off\ndata: y\n"
    [event] = read(body)
    assert (event.name, event.data) == ("done", b"x")


@pytest.mark.parametrize("change", [{"id": "one"}, {"data": "{}"}, {"results": []}])
def test_a_result_in_another_form_is_a_value_error(answers, change):
    _, _, data, *_ = result_event(answers[1]).decode().split("\n")
    body = {**json.loads(data.removeprefix("data: ")), **change}
    text = change.get("data", json.dumps(body))
    [event] = read(f"event: result\nid: {change.get('id', 3)}\ndata: {text}\n\n".encode())
    with pytest.raises(ValueError, match=r"one|image|0 results"):
        event.answer()
