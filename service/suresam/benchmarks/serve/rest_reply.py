"""What an answer of the REST API means to a visitor."""

import json
from typing import Any

from suresam.benchmarks.serve.exchange import MALFORMED, OK, Receipt, Reply
from suresam.benchmarks.serve.http import HttpAnswer
from suresam.domain import Rle


def read_masks(answer: HttpAnswer) -> Reply:
    """Of a click: OK if every prompt has masks.

    A failure on the device is told in its result, under a status of 200.
    """
    if answer.status != 200:
        return _refused(answer)
    results = _body(answer).get("results")
    if not isinstance(results, list) or not results:
        return Reply(MALFORMED, answer.received_s)
    for result in results:
        if not result.get("masks"):
            error = result.get("error") or {}
            return Reply(error.get("code", MALFORMED), answer.received_s)
    first = results[0]
    return Reply(OK, answer.received_s, receipt=_receipt(first), mask=_best_mask(first))


def read_session(answer: HttpAnswer) -> Reply:
    """Of an upload."""
    if answer.status not in (200, 201):
        return _refused(answer)
    session_id = _body(answer).get("session_id")
    if not isinstance(session_id, str):
        return Reply(MALFORMED, answer.received_s)
    return Reply(OK, answer.received_s, session_id=session_id)


def read_deletion(answer: HttpAnswer) -> Reply:
    """Of a deletion."""
    return Reply(OK, answer.received_s) if answer.status in (200, 204) else _refused(answer)


def _receipt(result: dict[str, Any]) -> Receipt | None:
    route = result.get("route")
    if route is None:  # another service, which routes nothing
        return None
    return Receipt(
        route["model"], route["escalated"], route["reason"], route["cost"]["spent"] or 0.0
    )


def _best_mask(result: dict[str, Any]) -> Rle | None:
    best = result.get("best")
    rle = None if best is None else result["masks"][best].get("rle")
    return None if rle is None else Rle(tuple(rle["size"]), rle["counts"])


def _refused(answer: HttpAnswer) -> Reply:
    error = _body(answer).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    # Without our JSON it was not the service that answered but a proxy, or another service.
    return Reply(
        code or f"http_{answer.status}",
        answer.received_s,
        has_retry_after="retry-after" in answer.headers,
    )


def _body(answer: HttpAnswer) -> dict[str, Any]:
    try:
        body = json.loads(answer.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
