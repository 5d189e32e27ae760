"""What only HTTP can express: forms, JSON types, headers, pictures, documents."""

import asyncio
import io
import json
import re

import httpx
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

CLICK = {"prompts": [{"points": [[320, 240]], "labels": [1]}]}


@pytest.fixture
async def http(serving):
    async with serving(max_body_bytes=300_000) as running:
        url = f"http://127.0.0.1:{running.http_port}"
        async with httpx.AsyncClient(base_url=url) as client:
            yield client


async def post(http: httpx.AsyncClient, image: bytes, request: object, **headers: str):
    text = request if isinstance(request, str) else json.dumps(request)
    return await http.post(
        "/v1/segment", files={"image": image}, data={"request": text}, headers=headers
    )


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert set(body) == {"error"}
    assert body["error"]["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["error"]["code"], body["error"]["message"]


async def test_a_form_where_json_belongs_is_told_as_such(http, photo_640x480):
    answer = await http.post(
        "/v1/sessions/x/segment",
        files={"image": photo_640x480},
        data={"request": json.dumps(CLICK)},
    )
    status, code, text = error_of(answer)
    assert (status, code) == (400, "invalid_request")
    assert "must be the request's JSON (application/json), not a form" in text


@pytest.mark.parametrize(
    ("request_json", "code", "message"),
    [
        ({"prompts": [{"points": [["5", 1]]}]}, "invalid_prompt", "'5' is not a number"),
        ({"prompts": [{"points": [[True, 1]]}]}, "invalid_prompt", "true is not a number"),
        ({"prompts": [{"points": [[1, 1]], "colour": 1}]}, "invalid_prompt", "'colour'"),
        ({**CLICK, "shape": "round"}, "invalid_request", "unknown field 'shape'"),
        ('{"prompts": [{"points": [[NaN, 1]]}]}', "invalid_prompt", "x=nan is not a finite"),
        ('{"prompts": [{"points": [[1e999, 1]]}]}', "invalid_prompt", "x=inf is not a finite"),
        ("{", "invalid_request", "not valid JSON"),
        ({**CLICK, "output": {"masks": "bmp"}}, "invalid_request", "output.masks='bmp'"),
        (
            {"prompts": [{"points": [[1, 1]], "mask_input": {"shape": [4, 4], "data": "AAAA"}}]},
            "invalid_prompt",
            "32",
        ),
        ({**CLICK, "image_id": "x"}, "invalid_request", "image_id names an image of a session"),
    ],
)
async def test_malformed_json_is_told_apart(http, photo_640x480, request_json, code, message):
    status, told, text = error_of(await post(http, photo_640x480, request_json))
    assert (status, told) == (400, code)
    assert message in text


async def test_forms_that_lack_or_add_parts_are_refused(http, photo_640x480):
    request = json.dumps(CLICK)
    cases = [
        ({"data": {"request": request}, "files": {"other": b"x"}}, "unknown form field 'other'"),
        ({"files": {"request": (None, request)}}, "the form file 'image' is missing"),
        ({"files": {"image": photo_640x480}}, "the form field 'request' is missing"),
        ({"data": {"image": "photo.jpg"}, "files": {"request": (None, request)}}, "must be a file"),
        ({"files": [("image", b"a"), ("image", b"b")], "data": {"request": request}}, "takes one"),
        (
            {"files": [("image", photo_640x480), ("request", (None, request))] * 2},
            "'request' stands there twice",
        ),
        ({"json": CLICK}, "must be multipart/form-data"),
        (
            {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data"}},
            "multipart body is damaged",
        ),
    ]
    for keywords, message in cases:
        status, code, text = error_of(await http.post("/v1/segment", **keywords))
        assert (status, code) == (400, "invalid_request"), text
        assert message in text


async def test_a_body_over_the_limit_is_refused_with_and_without_its_length(http):
    big = bytes(300_001)
    status, code, text = error_of(await post(http, big, CLICK))
    assert (status, code) == (413, "image_too_large")
    assert "limit 300000 bytes" in text

    async def chunks():
        yield b"--b\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n"
        for _ in range(40):
            yield bytes(10_000)

    answer = await http.post(
        "/v1/segment",
        content=chunks(),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert error_of(answer)[:2] == (413, "image_too_large")


async def test_unknown_routes_and_methods_answer_in_the_same_form(http):
    assert error_of(await http.get("/v1/nothing"))[:2] == (404, "not_found")
    assert error_of(await http.get("/v1/segment"))[:2] == (405, "method_not_allowed")


async def test_request_id_is_kept_or_made(http, photo_640x480):
    answer = await post(http, photo_640x480, CLICK, **{"X-Request-Id": "mine-7"})
    assert answer.headers["x-request-id"] == "mine-7"
    answer = await post(http, photo_640x480, CLICK, **{"X-Request-Id": "bad id\twith tab"})
    assert len(answer.headers["x-request-id"]) == 24
    assert (await http.get("/livez")).headers["x-request-id"]


async def test_accept_png_draws_a_picture_of_the_image(http, photo):
    answer = await post(http, photo(800, 600), CLICK, Accept="image/png")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
    assert picture.shape == (600, 800, 3)
    plain = np.array([10, 80, 90])
    assert (picture[240, 330] != plain).any()
    assert (picture[5, 795] == plain).all()
    both = await post(http, photo(800, 600), CLICK, Accept="application/json, image/png")
    assert both.headers["content-type"] == "application/json"


async def test_sessions_follow_the_contract(http, photo_640x480):
    made = await http.post(
        "/v1/sessions", files={"image": photo_640x480}, data={"session_id": "mine"}
    )
    assert made.status_code == 201
    assert made.headers["x-session-id"] == "mine"
    assert set(made.json()) == {"session_id", "images", "expires_at"}
    by_header = await http.post(
        "/v1/sessions", files={"image": photo_640x480}, headers={"X-Session-Id": "other"}
    )
    assert by_header.json()["session_id"] == "other"
    added = await http.post("/v1/sessions/mine/images", files={"image": photo_640x480})
    assert added.status_code == 201
    assert {"image_id", "width", "height"} <= set(added.json())
    answer = await http.post(
        "/v1/sessions/mine/segment", json={**CLICK, "image_id": added.json()["image_id"]}
    )
    assert answer.status_code == 200
    assert answer.json()["session_id"] == "mine"
    assert (await http.delete("/v1/sessions/mine")).status_code == 204
    assert error_of(await http.get("/v1/sessions/mine"))[:2] == (404, "session_not_found")


async def test_probes_and_documents_answer(http):
    assert (await http.get("/livez")).text == "ok"
    assert (await http.get("/readyz")).status_code == 200
    document = (await http.get("/openapi.json")).json()
    assert {
        "/v1/segment",
        "/v1/sessions",
        "/v1/sessions/{session_id}",
        "/v1/sessions/{session_id}/images",
        "/v1/sessions/{session_id}/segment",
        "/v1/models",
        "/livez",
        "/readyz",
        "/metrics",
    } == set(document["paths"])
    body = document["paths"]["/v1/segment"]["post"]["requestBody"]["content"]
    assert set(body["multipart/form-data"]["schema"]["properties"]) == {"image", "request"}
    names = set(document["components"]["schemas"])
    text = json.dumps(document)
    assert all(f'"#/components/schemas/{name}"' in text for name in ("SegmentRequestBody",))
    for reference in text.split('"#/components/schemas/')[1:]:
        assert reference.split('"')[0] in names
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            assert {"400", "408", "431"} <= answers.keys()
            assert ("401" in answers) == (path not in ("/livez", "/readyz"))
            assert all("X-Request-Id" in answer["headers"] for answer in answers.values())
    prompt = document["components"]["schemas"]["PromptBody"]["properties"]
    assert prompt["labels"]["anyOf"][0]["items"]["enum"] == [0, 1]


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_documentation_needs_nothing_from_elsewhere(http, page):
    answer = await http.get(page)
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    named = re.findall(r'(?:src|href|spec-url)="([^"]*)"', answer.text)
    assert len(named) >= 3
    assert not any(address.startswith(("/", "http")) for address in named)
    for address in named:
        assert (await http.get(f"/{address}")).status_code == 200


async def test_metrics_count_what_happened(http, photo_640x480):
    await post(http, photo_640x480, CLICK)
    await post(http, b"nothing", CLICK)
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families((await http.get("/metrics")).text)
        for sample in family.samples
    }

    def value(name: str, **labels: str) -> float:
        return samples[f"suresam_{name}", frozenset(labels.items())]

    segment = {"api": "rest", "method": "POST /v1/segment"}
    assert value("requests_total", code="ok", **segment) == 1
    assert value("requests_total", code="invalid_image", **segment) == 1
    assert value("engine_up") == 1
    assert value("sessions") == 0
    assert value("cache_requests_total", model="fake-small", result="miss", tier="device") == 1
    assert value("route_total", decision="small", reason="no_gain_estimate") == 1
    assert value("cache_bytes", tier="device") > 0
    for stage in ("encode", "decode"):
        assert value("batch_size_count", model="fake-small", stage=stage) == 1


async def test_a_client_who_hangs_up_while_uploading_is_no_error_of_ours(serving, caplog):
    async with serving() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.http_port)
        writer.write(
            b"POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b"--b\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\nabc"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        del reader
        labels = {"api": "rest", "method": "POST /v1/segment", "code": "client_gone"}
        registry = running.composition.telemetry.registry
        for _ in range(1000):
            if registry.get_sample_value("suresam_requests_total", labels) == 1:
                break
            await asyncio.sleep(0.005)
        else:
            pytest.fail("it was not counted as client_gone")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


ACCEPTED = {
    "image/png": "image/png", "image/*": "image/png", "image/png, */*": "image/png",
    "IMAGE/PNG;q=0.9": "image/png", "application/json, image/png": "application/json",
    "application/*": "application/json", "text/html, */*;q=0.1": "application/json",
    "": "application/json", "image/webp": None, "text/event-stream": None,
}  # fmt: skip


async def test_an_answer_has_the_form_that_is_asked_for_or_says_what_there_is(serving, photo):
    body = {"request": '{"prompts":[{"points":[[1,1]]}]}'}
    async with (
        serving() as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.http_port}", timeout=60) as http,
    ):
        for accept, form in ACCEPTED.items():
            headers = {"accept": accept}
            sent = {"data": body, "files": {"image": photo()}, "headers": headers}
            answer = await http.post("/v1/segment", **sent)
            if form is not None:
                assert (answer.status_code, answer.headers["content-type"]) == (200, form), accept
                continue
            assert answer.status_code == 406
            error = answer.json()["error"]
            told = f"Accept: {accept} names none of application/json, image/png"
            assert (error["code"], error["message"]) == ("not_acceptable", told)
        session = (await http.post("/v1/sessions", files={"image": photo()})).json()["session_id"]
        odd = {"headers": {"accept": "image/png"}}
        one = f"/v1/sessions/{session}"
        for answer in (
            await http.get("/v1/models", **odd),
            await http.get(one, **odd),
            await http.post("/v1/sessions", files={"image": photo()}, **odd),
            await http.post(f"{one}/images", files={"image": photo()}, **odd),
            await http.post(f"{one}/segment", json={"prompts": [{"points": [[1, 1]]}]}, **odd),
        ):
            assert answer.status_code == 406, answer.request.url
        assert (await http.delete(one, **odd)).status_code == 204
