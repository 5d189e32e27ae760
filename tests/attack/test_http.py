"""Attacks on the HTTP port by raw bytes: what is no HTTP, too much of it, or too slow."""

import gzip
import io
import itertools
import json
from random import Random

import httpx
from attack.attacked_service import MAX_BODY_BYTES, PHOTO, AttackedService
from attack.conftest import Rounds
from attack.frames import opening
from attack.line import error_of, exchange, line_to, read_to_end, send, status_of
from attack.tally import Tally
from PIL import Image

HEAD_LIMIT = 64 * 1024

_TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(196)
_SEGMENT = b"POST /v1/segment HTTP/1.1\r\nHost: x\r\n"
_CHUNKED = _SEGMENT + b"Transfer-Encoding: chunked\r\n\r\n"


def _dot() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    return file.getvalue()


DOT = _dot()

NO_HTTP = {
    "HTTP/2": opening(),
    "TLS": _TLS_HELLO,
    "a line": b"hello\r\n\r\n",
    "no method": b"/livez HTTP/1.1\r\n\r\n",
    "another version": b"GET /livez HTTP/9.9\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\n\r\n",
    "a path without a slash": b"GET livez HTTP/1.1\r\n\r\n",
    "a port that is none": b"GET http://x:99999/livez HTTP/1.1\r\n\r\n",
    "a host that is none": b"GET http://[ HTTP/1.1\r\n\r\n",
    "a NUL in the path": b"GET /li\0vez HTTP/1.1\r\n\r\n",
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
    "a NUL in a header": b"GET /livez HTTP/1.1\r\nX: a\0b\r\n\r\n",
    "a header of no name": b"GET /livez HTTP/1.1\r\n: a\r\n\r\n",
    "a header without a colon": b"GET /livez HTTP/1.1\r\nHost\r\n\r\n",
    "a space before the colon": b"GET /livez HTTP/1.1\r\nHost : x\r\n\r\n",
    "a folded header": b"GET /livez HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
    "bare line feeds": b"GET /livez HTTP/1.1\nHost: x\n\n",
    "a negative length": _SEGMENT + b"Content-Length: -5\r\n\r\nhello",
    "a length with a sign": _SEGMENT + b"Content-Length: +5\r\n\r\nhello",
    "a length that is no number": _SEGMENT + b"Content-Length: five\r\n\r\nhello",
    "a length over 64 bits": _SEGMENT + b"Content-Length: 99999999999999999999\r\n\r\nhello",
    "two lengths": _SEGMENT + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length twice": _SEGMENT + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a length and chunks": _SEGMENT
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": _SEGMENT
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunks that are not the last": _SEGMENT
    + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an unknown encoding": _SEGMENT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": _CHUNKED + b"zz\r\n\r\n",
    "a chunk of a negative size": _CHUNKED + b"-1\r\n\r\n",
    "a chunk over 64 bits": _CHUNKED + b"fffffffffffffffff\r\nabc",
    "a chunk without its end": _CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
}

CUT_SHORT = {
    "nothing": b"",
    "line ends": b"\r\n\r\n\r\n",
    "a method": b"POST",
    "half of a head": b"GET /livez HTTP/1.1\r\nHost:",
    "half of a body": _SEGMENT + b"Content-Length: 500\r\n\r\n--x",
    "half of a chunk": _CHUNKED + b"fff\r\nabc",
}


def test_what_is_no_http(service: AttackedService, tally: Tally, rounds: Rounds):
    for what, data in NO_HTTP.items():
        told = exchange(service, data)
        tally.answered(status_of(told), what)
        assert status_of(told) == 400, (what, told)
        assert error_of(told)["code"] == "invalid_request"
    for random in rounds(40):
        noise = random.randbytes(random.randrange(1, 4096))
        tally.answered(status_of(exchange(service, noise)), noise)


def test_requests_that_are_cut_short(service: AttackedService, tally: Tally, rounds: Rounds):
    for what, data in CUT_SHORT.items():
        told = exchange(service, data)
        tally.answered(status_of(told), what)
        assert told == b"" or status_of(told) == 401, what
    whole = upload(service)
    for random in rounds(30):
        cut = whole[: random.randrange(len(whole))]
        told = exchange(service, cut)
        tally.answered(status_of(told), cut)
        assert status_of(told) in (None, 400), told


def test_damaged_requests(service: AttackedService, tally: Tally, rounds: Rounds):
    requests = [upload(service), click(service), b"GET /v1/models HTTP/1.1\r\n" + key(service)]
    for random in rounds(60):
        data = bytearray(random.choice(requests))
        for _ in range(random.choice((1, 1, 2, 8))):
            damage(data, random)
        told = exchange(service, bytes(data))
        tally.answered(status_of(told), bytes(data[:400]))


def test_heads_without_end(service: AttackedService, tally: Tally, is_long: bool):
    size = (64 if is_long else 4) * 2**20
    heads = {
        "path": b"GET /" + bytes(b"a" * size),
        "header": b"GET /livez HTTP/1.1\r\nX: " + bytes(b"a" * size),
        "name": b"GET /livez HTTP/1.1\r\n" + bytes(b"a" * size),
        "headers": b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * (size // 6),
        "chunk's extension": _CHUNKED + b"1;" + bytes(b"a" * size),
        "trailer": _CHUNKED + b"0\r\nX: " + bytes(b"a" * size),
        "trailers": _CHUNKED + b"0\r\n" + b"X: y\r\n" * (size // 6),
    }
    before = service.resident_mib()
    for what, data in heads.items():
        with line_to(service) as line:
            is_all_taken = send(line, data + b"\r\n\r\n")
            status = status_of(read_to_end(line))
        tally.answered(status, what)
        assert not is_all_taken or status in (400, 401, 431), what
    assert service.peak_mib() - before < 16, "heads are held to 64 KiB"
    head = b"GET /livez HTTP/1.1\r\nX: "
    for length, status in ((HEAD_LIMIT - 1000, 200), (HEAD_LIMIT, 431)):
        told = exchange(service, head + b"a" * length + b"\r\n\r\n")
        tally.answered(status_of(told))
        assert status_of(told) == status, told
    assert error_of(told)["code"] == "request_header_fields_too_large"


def test_requests_that_do_not_wait_for_answers(
    service: AttackedService, tally: Tally, is_long: bool
):
    """Thousands in a row: each takes memory until it is answered, so few may wait."""
    count = 200_000 if is_long else 20_000
    before = service.resident_mib()
    with line_to(service) as line:
        send(line, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * count)
        told = read_to_end(line)
    tally.sent(count)
    assert told.count(b"HTTP/1.1 200 OK") < count
    assert service.peak_mib() - before < 16
    with line_to(service) as line:  # a few are served in their order
        send(line, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 8)
        send(line, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_to_end(line).count(b"HTTP/1.1 200 OK") == 9


def test_nothing_is_smuggled_behind_a_request(service: AttackedService, tally: Tally):
    """What a proxy may take for a body is no second request here."""
    hidden = b"GET /metrics HTTP/1.1\r\n" + key(service) + b"\r\n"
    for framing in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(hidden)),
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0x5\r\n\r\n0\r\n\r\n",
    ):
        told = exchange(service, b"POST /v1/segment HTTP/1.1\r\n" + key(service) + framing + hidden)
        tally.answered(status_of(told), framing)
        assert status_of(told) == 400
        assert b"suresam_" not in told, framing


def test_bodies_over_the_limit(service: AttackedService, tally: Tally):
    too_much = MAX_BODY_BYTES + 1
    head = b"POST /v1/sessions/x/segment HTTP/1.1\r\n" + key(service)
    announced = exchange(service, head + b"Content-Length: %d\r\n\r\n" % too_much)
    assert status_of(announced) == 413
    assert error_of(announced)["code"] == "image_too_large"
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    with line_to(service) as line:
        send(line, head + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(too_much // 2**20 + 2):
            if not send(line, chunk):
                break
        unannounced = line.recv(65536)
    for told in (announced, unannounced):
        tally.answered(status_of(told))
    assert status_of(unannounced) == 413


def test_forms_that_are_none(service: AttackedService, tally: Tally, is_long: bool):
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    file = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n%s\r\n'
    many = 100_000 if is_long else 20_000
    plain = "multipart/form-data; boundary=x"
    forms: dict[str, tuple[str, bytes]] = {
        "many fields": (plain, part % (b"request", b"{}") * many + b"--x--"),
        "many files": (plain, file % b"a" * many + b"--x--"),
        "a name of megabytes": (plain, part % (b"n" * 2**22, b"a") + b"--x--"),
        "a header of megabytes": (plain, b"--x\r\nX: " + b"a" * 2**22 + b"\r\n\r\na\r\n--x--"),
        "many headers": (plain, b"--x\r\n" + b"X: y\r\n" * many + b"\r\na\r\n--x--"),
        "no end": (plain, file % b"a"),
        "no name": (plain, b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--"),
        "no headers": (plain, b"--x\r\n\r\na\r\n--x--"),
        "only the end": (plain, b"--x--"),
        "nothing": (plain, b""),
        "no boundary": ("multipart/form-data", b"--x--"),
        "an empty boundary": ("multipart/form-data; boundary=", b"--x--"),
        "a long boundary": (f"multipart/form-data; boundary={'x' * 5000}", b"--x--"),
        "bytes that are no UTF-8": (plain, part % (b"\xff\xfe", b"\xff") + b"--x--"),
        "a codec of bytes": (f"{plain}; charset=hex", part % (b"request", b"zz") + b"--x--"),
        "another charset": (f"{plain}; charset=utf-16", part % (b"request", b"{}x") + b"--x--"),
        "idna": (f"{plain}; charset=idna", part % (b"request", b"xn--\xff") + b"--x--"),
        "fields of a page": ("application/x-www-form-urlencoded", b"image=a"),
        "the request as a file": (
            plain,
            file % b"a"
            + part.replace(b'"\r', b'"; filename="r"\r') % (b"request", b"{}")
            + b"--x--",
        ),
    }
    with httpx.Client(base_url=service.url, headers=service.headers, timeout=120) as http:
        for what, (kind, body) in forms.items():
            for path in ("/v1/segment", "/v1/sessions"):
                answer = http.post(path, content=body, headers={"content-type": kind})
                tally.answered(answer.status_code, what)
                assert answer.status_code in (400, 413), (what, answer.text)
                assert answer.json()["error"]["code"] in (
                    "invalid_request", "invalid_prompt", "invalid_image", "image_too_large",
                ), what  # fmt: skip


def test_json_that_is_none(service: AttackedService, tally: Tally, is_long: bool):
    deep = 1_000_000 if is_long else 100_000
    point = b'{"prompts": [{"points": [[%s, 1]]}]}'
    texts = {
        "nothing": b"",
        "deep lists": b"[" * deep,
        "deep lists with their end": b"[" * deep + b"]" * deep,
        "deep objects": b'{"prompts":' * deep,
        "a deep prompt": b'{"prompts": ' + b"[" * deep + b"]" * deep + b"}",
        "a number of a million digits": point % (b"9" * deep),
        "an exponent of a million digits": point % (b"1e" + b"9" * deep),
        "a label over 64 bits": b'{"prompts": [{"points": [[1, 1]], "labels": [%s]}]}'
        % (b"9" * 99),
        "the same field twice": b'{"prompts": [], "prompts": [{"points": [[1, 1]]}], "prompts": 1}',
        "no UTF-8": b'{"prompts": "\xff\xfe"}',
        "half a surrogate": b'{"prompts": [{"points": [[1, 1]], "prompt_id": "\\ud800"}]}',
        "a byte order mark": b"\xef\xbb\xbf" + b"{}",
        "UTF-16": json.dumps({"prompts": []}).encode("utf-16"),
        "a NUL": b'{"prompts": "\0"}',
        "an infinite deadline": b'{"prompts": [{"points": [[1, 1]]}], "deadline_ms": 1e999}',
        "a mode of megabytes": b'{"prompts": [{"points": [[1, 1]]}], "route": {"mode": "%s"}}'
        % (b"m" * 2**22),
        "many prompts": b'{"prompts": [' + b'{"points": [[1, 1]]},' * deep + b'{"box": null}]}',
        "many points": b'{"prompts": [{"points": [' + b"[1, 1]," * deep + b"[1, 1]]}]}",
        "many unknown fields": b"{" + b'"a": 1,' * deep + b'"prompts": []}',
        "gzip": gzip.compress(b'{"prompts": []}'),
    }
    with httpx.Client(base_url=service.url, headers=service.headers, timeout=120) as http:
        made = http.post("/v1/sessions", files={"image": PHOTO}).json()["session_id"]
        for what, text in texts.items():
            for headers in ({}, {"content-encoding": "gzip"}):
                answer = http.post(f"/v1/sessions/{made}/segment", content=text, headers=headers)
                tally.answered(answer.status_code, what)
                assert answer.status_code in (400, 404, 413), (what, answer.text[:500])
                assert len(answer.content) < 4096, what
        http.delete(f"/v1/sessions/{made}")


def test_no_page_of_another_origin_is_let_in(service: AttackedService, tally: Tally):
    """CORS is off: no answer names an origin, and a browser's question beforehand is refused."""
    origin = {"origin": "https://elsewhere.example"}
    asking = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    paths = ("/livez", "/v1/models", "/v1/segment", "/metrics", "/openapi.json")
    with httpx.Client(base_url=service.url, headers=origin, timeout=120) as http:
        for path, who in itertools.product(paths, ({}, service.headers)):
            for method, headers in (("OPTIONS", asking), ("GET", {})):
                answer = http.request(method, path, headers={**who, **headers})
                tally.answered(answer.status_code, path)
                assert method == "GET" or answer.status_code in (401, 405)
                assert not [name for name in answer.headers if name.startswith("access-control")]


def key(service: AttackedService) -> bytes:
    return f"Host: x\r\nAuthorization: Bearer {service.key}\r\n".encode()


def upload(service: AttackedService) -> bytes:
    """A whole request of a click on a small picture."""
    request = httpx.Request(
        "POST",
        f"{service.url}/v1/segment",
        files={"image": DOT},
        data={"request": json.dumps({"prompts": [{"points": [[1, 1]]}]})},
    )
    kind = request.headers["content-type"].encode()
    body = request.read()
    return (
        b"POST /v1/segment HTTP/1.1\r\n"
        + key(service)
        + b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
        + body
    )


def click(service: AttackedService) -> bytes:
    body = json.dumps({"prompts": [{"points": [[1, 1]], "labels": [1]}], "multimask": False})
    return (
        b"POST /v1/sessions/nobodys/segment HTTP/1.1\r\n"
        + key(service)
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body.encode()
    )


def damage(data: bytearray, random: Random) -> None:
    """Change, add, drop or repeat something."""
    at = random.randrange(len(data) + 1)
    piece = slice(at, at + random.choice((1, 2, 20)))
    kind = random.randrange(4)
    if kind == 0:
        data[piece] = random.randbytes(len(data[piece]))
    elif kind == 1:
        data[at:at] = random.choice((b"\r\n", b"\0", b": ", b"\xff", b"\r\n\r\n", b"0", b"--"))
    elif kind == 2:
        del data[piece]
    else:
        data[at:at] = data[piece]
