import json

from suresam.benchmarks.serve.exchange import Receipt
from suresam.benchmarks.serve.http import HttpAnswer
from suresam.benchmarks.serve.rest_reply import read_deletion, read_masks, read_session


def answer(status: int, body: object = None, **headers: str) -> HttpAnswer:
    text = b"" if body is None else json.dumps(body).encode()
    return HttpAnswer(status, headers, text, received_s=3.0)


def test_masks_for_every_prompt_are_ok():
    reply = read_masks(answer(200, {"results": [{"masks": [{}, {}, {}]}]}))
    assert (reply.code, reply.received_s) == ("ok", 3.0)


def test_a_receipt_and_the_best_mask_are_kept():
    runs = [{"rle": {"size": [2, 3], "counts": text}} for text in ("a", "b", "c")]
    cost = {"demo-small": 8.0, "demo-large": None, "spent": 120.5}
    route = {"model": "demo-large", "role": "large", "escalated": True, "reason": "expected_gain",
             "expected_gain": 0.1, "cost": cost}  # fmt: skip
    reply = read_masks(answer(200, {"results": [{"masks": runs, "best": 1, "route": route}]}))
    assert reply.receipt == Receipt("demo-large", True, "expected_gain", 120.5)
    assert (reply.mask.size, reply.mask.counts) == ((2, 3), "b")


def test_a_service_without_receipts_or_runs_answers_all_the_same():
    reply = read_masks(answer(200, {"results": [{"masks": [{"png": ""}], "best": 0}]}))
    assert (reply.code, reply.receipt, reply.mask) == ("ok", None, None)


def test_a_result_that_failed_under_200_has_its_code():
    failed = {"masks": [], "error": {"code": "non_finite_output", "message": ""}}
    assert read_masks(answer(200, {"results": [failed]})).code == "non_finite_output"


def test_an_answer_of_another_form_is_malformed():
    for body in ([], "text", {}, {"results": []}, {"results": [{"masks": []}]}):
        assert read_masks(answer(200, body)).code == "malformed"
    assert read_session(answer(201, {"id": 5})).code == "malformed"


def test_a_refusal_has_its_code_and_whether_it_says_when_to_come_back():
    body = {"error": {"code": "overloaded", "message": "", "request_id": ""}}
    refused = read_masks(HttpAnswer(429, {"retry-after": "1"}, json.dumps(body).encode(), 3.0))
    assert (refused.code, refused.has_retry_after) == ("overloaded", True)
    assert not read_session(answer(429, body)).has_retry_after


def test_a_stranger_is_told_by_its_status():
    assert read_masks(answer(502, "bad gateway")).code == "http_502"
    assert read_session(answer(422, {"detail": []})).code == "http_422"
    assert read_session(answer(500, {"error": "text"})).code == "http_500"
    assert read_deletion(answer(405)).code == "http_405"


def test_an_upload_gives_its_session():
    assert read_session(answer(201, {"session_id": "a"})).session_id == "a"
    assert read_deletion(answer(204)).code == "ok"
