"""What a REST client makes of answers that do not come from the service."""

import time
from email.utils import formatdate

import httpx
import pytest

from suresam import errors
from suresam.client import rest_call


def answer(status, body=b"", **headers):
    request = httpx.Request("GET", "http://host/v1/models")
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=body, headers=headers, request=request)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (413, errors.ImageTooLarge),
        (429, errors.Overloaded),
        (502, errors.NotReady),
        (503, errors.NotReady),
        (504, errors.DeadlineExceeded),
        (500, errors.ServiceError),
        (404, errors.ServiceError),
    ],
)
def test_a_proxy_s_page_becomes_an_error_by_its_status(status, kind):
    with pytest.raises(errors.ServiceError) as caught:
        rest_call.models().from_http(answer(status, b"<html>"))
    assert type(caught.value) is kind
    assert f"http://host/v1/models answered {status}" in caught.value.message


def test_a_server_that_hangs_up_on_http_may_want_https():
    gone = httpx.RemoteProtocolError("Server disconnected without sending a response.")
    assert "wants https://" in rest_call.unanswered(gone, "http://host").message
    assert "wants https://" not in rest_call.unanswered(gone, "https://host").message
    refused = httpx.ConnectError("Connection refused")
    assert "wants https://" not in rest_call.unanswered(refused, "http://host").message


def test_retry_after_may_be_seconds_or_a_date():
    call = rest_call.models()
    with pytest.raises(errors.NotReady) as caught:
        call.from_http(answer(503, retry_after="7"))
    assert caught.value.retry_after_s == 7
    with pytest.raises(errors.NotReady) as caught:
        call.from_http(answer(503, retry_after=formatdate(time.time() + 60, usegmt=True)))
    assert caught.value.retry_after_s == pytest.approx(60, abs=5)
    for unreadable in ("soon", "-5", "nan"):
        with pytest.raises(errors.NotReady) as caught:
            call.from_http(answer(503, retry_after=unreadable))
        assert caught.value.retry_after_s in (None, 0.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"family": 5}'])
def test_an_answer_in_another_form_is_named_as_such(body):
    with pytest.raises(errors.ServiceError, match="http://host/v1/models answered in an unknown"):
        rest_call.models().from_http(answer(200, body))


def test_a_session_id_is_quoted_in_the_path():
    assert rest_call.get_session("a/../b").path == "/v1/sessions/a%2F..%2Fb"
