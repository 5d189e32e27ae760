import json

import pytest
from fastapi import FastAPI, Request

from suresam.api.closing import Closing
from suresam.api.rest.middleware import Edge
from suresam.errors import InvalidPrompt, Overloaded
from suresam.telemetry import Telemetry


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture
def app(telemetry):
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/fail/{kind}")
    async def fail(kind: str) -> None:
        raise {"ours": ValueError("secret"), "full": Overloaded("full", 1.2)}.get(
            kind, InvalidPrompt("point x=9")
        )

    app.add_middleware(Edge, max_body_bytes=10, telemetry=telemetry, closing=Closing())
    return app


async def ask(app, method, path, body=b"", headers=()):
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": list(headers), "asgi": {"version": "3.0"},
    }  # fmt: skip
    await app(scope, receive, send)
    head = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], head, b"".join(m.get("body", b"") for m in sent[1:])


@pytest.mark.parametrize(("size", "status"), [(0, 200), (10, 200), (11, 413)])
async def test_a_body_may_reach_its_limit_and_no_more(app, size, status):
    assert (await ask(app, "POST", "/echo", bytes(size)))[0] == status


async def test_an_announced_body_over_the_limit_is_not_read(app):
    headers = [(b"content-length", b"11")]
    status, _, body = await ask(app, "POST", "/echo", b"", headers)
    assert status == 413
    assert b"11 bytes (limit 10 bytes)" in body


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("ours", 500, "internal"), ("full", 429, "overloaded"), ("x", 400, "invalid_prompt")],
)
async def test_an_error_is_json_with_the_request_id(app, kind, status, code):
    answer = await ask(app, "GET", f"/fail/{kind}", headers=[(b"x-request-id", b"mine")])
    assert answer[0] == status
    assert answer[1]["x-request-id"] == "mine"
    assert answer[1].get("retry-after") == ("2" if kind == "full" else None)
    error = json.loads(answer[2])["error"]
    assert (error["code"], error["request_id"]) == (code, "mine")
    assert "secret" not in error["message"]


@pytest.mark.parametrize(("method", "path"), [("FOO1", "/echo"), ("GET", "/nowhere")])
async def test_made_up_methods_and_paths_make_no_new_time_series(app, telemetry, method, path):
    await ask(app, method, path)
    text = telemetry.exposition().decode()
    assert 'method="unknown"' in text
    assert method not in text or method == "GET"
    assert path not in text
