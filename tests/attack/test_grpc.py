"""Attacks on the gRPC port: frames, floods, messages, and calls that are left alone."""

import contextlib
import struct
from collections.abc import Callable, Iterator
from random import Random

import grpc
import pytest
from attack.attacked_service import MAX_BODY_BYTES, PATIENCE_S, PHOTO, AttackedService
from attack.conftest import Rounds
from attack.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PUSH,
    RST_STREAM,
    SETTINGS,
    WINDOW,
    call_headers,
    fields,
    frame,
    message,
    opening,
)
from attack.line import line_to, read_to_end, send
from attack.tally import Tally

from suresam.pb import segmentation_pb2 as pb

SEGMENT = "/suresam.v1.Segmentation/Segment"
MODELS = "/suresam.v1.Segmentation/ListModels"
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
METHODS = {
    SEGMENT: pb.SegmentRequest(
        image=PHOTO[:200],
        prompts=[pb.Prompt(points=[pb.Point(x=1, y=1)], labels=[1], prompt_id="a")],
        options=pb.SegmentOptions(route=pb.RouteRequest(mode="small")),
    ),
    "/suresam.v1.Segmentation/UploadAndSegment": pb.UploadAndSegmentRequest(
        header=pb.UploadAndSegmentHeader(image_bytes=5)
    ),
    "/suresam.v1.Segmentation/CreateSession": pb.CreateSessionRequest(
        header=pb.CreateSessionHeader(session_id="fuzz")
    ),
    "/suresam.v1.Segmentation/Interact": pb.InteractRequest(
        header=pb.InteractHeader(session_id="fuzz")
    ),
    "/suresam.v1.Segmentation/GetSession": pb.GetSessionRequest(session_id="a"),
    "/suresam.v1.Segmentation/DeleteSession": pb.DeleteSessionRequest(session_id="a"),
    MODELS: pb.ListModelsRequest(),
    CHECK: pb.GetSessionRequest(session_id="x"),  # of the same form
    WATCH: pb.GetSessionRequest(session_id="x"),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": pb.GetSessionRequest(),
}
ABSENT = (
    *("/", "/x", "//", "/a/b/c", "/" + "a" * 4000, "/suresam.v1.Segmentation/"),
    *("/suresam.v1.Segmentation/segment", "/suresam.v2.Segmentation/Segment"),
)
Frames = Callable[[AttackedService], bytes]


def head(service: AttackedService, stream: int = 1, path: str = MODELS) -> bytes:
    return frame(HEADERS, END_HEADERS, stream, call_headers(path, service.key))


def test_frames_that_are_wrong(service: AttackedService, tally: Tally, rounds: Rounds):
    for what, of in WRONG.items():
        with line_to(service, service.grpc_port) as line:
            send(line, of(service))
            with contextlib.suppress(OSError):
                line.shutdown(1)
            told = read_to_end(line)
        tally.answered(None, what)
        assert b"suresam_" not in told
    for random in rounds(60):
        with line_to(service, service.grpc_port) as line:
            send(line, b"".join(noise(service, random)))
            with contextlib.suppress(OSError):
                line.shutdown(1)
            read_to_end(line)
        tally.answered(None)


def noise(service: AttackedService, random: Random) -> Iterator[bytes]:
    """Frames of any kind, among them those of a real call."""
    yield opening() if random.random() < 0.9 else PREFACE[: random.randrange(24)]
    for _ in range(random.randrange(1, 20)):
        body = random.choice((b"", bytes(4), bytes(8), random.randbytes(random.randrange(99))))
        if random.random() < 0.3:
            yield head(service, random.choice((1, 3, 5)), random.choice(tuple(METHODS)))
            yield frame(DATA, random.choice((0, END_STREAM)), 1, message(body))
        else:
            length = random.choice((None, None, None, 0, len(body) + 1, 2**24 - 1))
            stream = random.choice((0, 1, 2, 3, 2**31 - 1))
            yield frame(random.randrange(12), random.randrange(256), stream, body, length)


def test_floods_of_frames(service: AttackedService, tally: Tally, is_long: bool):
    """None may take memory, nor the port from the others, who are asked afterwards."""
    count = 200_000 if is_long else 10_000
    before = service.resident_mib()
    for what, of in FLOODS.items():
        with line_to(service, service.grpc_port) as line:
            send(line, opening())
            sent = 0
            while sent < count and send(line, b"".join(of(service, sent, min(1000, count - sent)))):
                sent += 1000
        tally.sent(max(sent, 1))
        assert service.peak_mib() - before < 128, what


def test_headers_over_their_limit(service: AttackedService, tally: Tally):
    channel = grpc.insecure_channel(service.address)
    for size in (20_000, 1_000_000):
        metadata = (*metadata_of(service), ("x", "a" * size))
        tally.answered(ask(channel, MODELS, b"", metadata)[0], size)
    many = (*metadata_of(service), *((f"x-{i}", "y") for i in range(5000)))
    tally.answered(ask(channel, MODELS, b"", many)[0], "many")
    binary = (*metadata_of(service), ("x-request-id", "a b"), ("x-bin", b"\xff" * 100))
    tally.answered(ask(channel, MODELS, b"", binary)[0], "binary")
    channel.close()
    assert tally.answers["4xx"] >= 3


def test_messages_that_are_none(service: AttackedService, tally: Tally, rounds: Rounds):
    with grpc.insecure_channel(service.address) as channel:
        for method in METHODS:
            for data in (b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xff\xfe"):
                code, told = ask(channel, method, data, metadata_of(service))
                tally.answered(code, method)
                assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND,
                                grpc.StatusCode.OK), (method, data, told)  # fmt: skip
        for random in rounds(60):
            method = random.choice(tuple(METHODS))
            data = bytearray(METHODS[method].SerializeToString())
            for _ in range(random.choice((1, 1, 3, 20))):
                at = random.randrange(len(data) + 1)
                data[at : at + random.randrange(2)] = random.randbytes(random.randrange(3))
            code, told = ask(channel, method, bytes(data), metadata_of(service))
            tally.answered(code, (method, bytes(data), told))


def test_messages_over_the_limit(service: AttackedService, tally: Tally):
    """Of themselves, and of what they become when they are unpacked."""
    limit = 2 * MAX_BODY_BYTES + 2**20
    empty = pb.SegmentRequest(prompts=[pb.Prompt(points=[pb.Point(x=1, y=1)])])
    with grpc.insecure_channel(service.address) as channel:
        for size, code in (
            (MAX_BODY_BYTES + 1, grpc.StatusCode.INVALID_ARGUMENT),
            (limit + 1, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ):
            for packed in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
                empty.image = bytes(size)
                data = empty.SerializeToString()
                found, told = ask(channel, SEGMENT, data, metadata_of(service), packed)
                tally.answered(found, (size, packed))
                assert found is code, told


def test_messages_of_many_small_values(service: AttackedService, tally: Tally):
    """Two bytes each, which would take forty times as much when they are read."""
    before = service.resident_mib()
    size = MAX_BODY_BYTES // 2
    with grpc.insecure_channel(service.address) as channel:
        for method, data in (
            (SEGMENT, b"\x22\x00" * size),
            ("/suresam.v1.Segmentation/Interact", b"\x12\x02\x0a\x00" * (size // 2)),
        ):
            code, told = ask(channel, method, data, metadata_of(service))
            tally.answered(code, method)
            assert (code, told) == (
                grpc.StatusCode.INVALID_ARGUMENT,
                "the message has over 200000 values",
            )
    assert service.peak_mib() - before < 10 * MAX_BODY_BYTES / 2**20


def test_messages_with_a_wrong_prefix(service: AttackedService, tally: Tally):
    good = pb.ListModelsRequest().SerializeToString()
    for body in (
        message(good, length=2**32 - 1),
        message(good, length=7),
        message(good, is_compressed=True),
        b"\x02" + message(good)[1:],
        b"\xff" * 5,
        b"\0" * 3,
        message(good) * 1000,
    ):
        with line_to(service, service.grpc_port) as line:
            send(line, opening() + head(service) + frame(DATA, END_STREAM, 1, body))
            line.settimeout(PATIENCE_S)
            line.shutdown(1)
            read_to_end(line)
        tally.answered(None)


def test_methods_that_do_not_exist(service: AttackedService, tally: Tally, rounds: Rounds):
    with grpc.insecure_channel(service.address) as channel:
        for path in ABSENT:
            for metadata in (metadata_of(service), ()):
                code, _ = ask(channel, path, b"", metadata)
                tally.answered(code, path)
                expected = "UNIMPLEMENTED" if metadata else "UNAUTHENTICATED"
                assert code is grpc.StatusCode[expected], path
        for random in rounds(20):
            path = "/" + "".join(chr(random.randrange(33, 127)) for _ in range(30))
            tally.answered(ask(channel, path, b"", metadata_of(service))[0], path)


def test_calls_without_a_key(service: AttackedService, tally: Tally):
    with grpc.insecure_channel(service.address) as channel:
        for method, request in METHODS.items():
            if "Health" in method:
                continue
            for metadata in ((), (("authorization", "Bearer wrong"),)):
                for data in (request.SerializeToString(), b"\xff"):
                    code, _ = ask(channel, method, data, metadata)
                    tally.answered(code, method)
                    assert code is grpc.StatusCode.UNAUTHENTICATED


def test_calls_that_are_abandoned(service: AttackedService, tally: Tally, is_long: bool):
    """At once, half-way through an upload, and with the whole connection."""
    count = 500 if is_long else 20
    chunk = pb.UploadAndSegmentRequest(chunk=PHOTO[:1000]).SerializeToString()
    opened = METHODS["/suresam.v1.Segmentation/UploadAndSegment"].SerializeToString()
    click = pb.SegmentRequest(
        image=PHOTO, prompts=[pb.Prompt(points=[pb.Point(x=280, y=160)])]
    ).SerializeToString()
    for number in range(count):
        channel = grpc.insecure_channel(service.address)
        calls = [
            channel.stream_unary("/suresam.v1.Segmentation/UploadAndSegment").future(
                iter([opened, chunk]), metadata=metadata_of(service)
            ),
            channel.unary_unary(SEGMENT).future(click, metadata=metadata_of(service)),
        ]
        if number % 2:
            for call in calls:
                call.cancel()
        channel.close()
        tally.sent(len(calls))


def test_answers_that_nobody_reads(service: AttackedService, tally: Tally, is_long: bool):
    """Streams whose windows stay shut, of strangers and of callers, and connections left so."""
    shut = PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    count = 200 if is_long else 20
    with contextlib.ExitStack() as lines:
        for _ in range(count):
            line = lines.enter_context(line_to(service, service.grpc_port))
            watch = frame(HEADERS, END_HEADERS, 1, call_headers(WATCH, None))
            models = head(service, 3)
            told = frame(DATA, END_STREAM, 1, message(b"")) + frame(
                DATA, END_STREAM, 3, message(b"")
            )
            send(line, shut + watch + models + told)
            tally.sent(2)
        assert service.harm() == []
        # One who reads is told at once, whoever else does not.
        with grpc.insecure_channel(service.address) as channel:
            watch = channel.unary_stream(WATCH)(b"", timeout=PATIENCE_S)
            assert next(watch) == b"\x08\x01"
            watch.cancel()


def test_watches_are_bounded(service: AttackedService, tally: Tally):
    limit = 256
    with grpc.insecure_channel(service.address) as channel:
        watches = [channel.unary_stream(WATCH)(b"") for _ in range(limit)]
        for watch in watches:
            assert next(watch) == b"\x08\x01"
        with pytest.raises(grpc.RpcError) as caught:
            next(channel.unary_stream(WATCH)(b""))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        tally.answered(caught.value.code())
        assert channel.unary_unary(CHECK)(b"") == b"\x08\x01"
        for watch in watches:
            watch.cancel()
            tally.answered(grpc.StatusCode.OK)


def metadata_of(service: AttackedService) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {service.key}"),)


def ask(
    channel: grpc.Channel,
    method: str,
    data: bytes,
    metadata: tuple[tuple[str, str | bytes], ...],
    packed: grpc.Compression | None = None,
) -> tuple[grpc.StatusCode, str]:
    """Send one message and read the first answer; its code and what it says."""
    call = channel.stream_stream(method)(
        iter([data]), metadata=metadata, timeout=PATIENCE_S, compression=packed
    )
    try:
        answer = next(call, b"")
        call.cancel()
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, answer[:99].hex()


WRONG: dict[str, Frames] = {
    "half of the preface": lambda _: PREFACE[:10],
    "another preface": lambda _: b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1": lambda _: b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": lambda _: bytes.fromhex("16030100c8010000c40303") + bytes(196),
    "no settings": lambda s: PREFACE + head(s),
    "settings of no size": lambda _: PREFACE + frame(SETTINGS, 0, 0, b"abc"),
    "settings of a stream": lambda _: PREFACE + frame(SETTINGS, 0, 1),
    "an answer to settings with more": lambda _: opening() + frame(SETTINGS, ACK, 0, bytes(6)),
    "a window over 31 bits": lambda _: (
        PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31))
    ),
    "a frame size of 0": lambda _: PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 0)),
    "a frame of 16 MiB": lambda s: opening() + head(s) + frame(DATA, 0, 1, b"", 2**24 - 1),
    "headers of 16 MiB": lambda _: opening() + frame(HEADERS, 0, 1, bytes(99), 2**24 - 1),
    "data of no stream": lambda _: opening() + frame(DATA, 0, 0, b"a"),
    "data of a stream that is not open": lambda _: opening() + frame(DATA, 0, 7, b"a"),
    "data after the end": lambda s: (
        opening() + head(s) + frame(DATA, END_STREAM, 1, message(b"")) + frame(DATA, 0, 1, b"a")
    ),
    "an even stream": lambda s: opening() + head(s, 2),
    "an older stream": lambda s: opening() + head(s, 9) + head(s, 3),
    "headers twice": lambda s: opening() + head(s) + head(s),
    "headers of no stream": lambda s: opening() + head(s, 0),
    "a header block that is none": lambda _: (
        opening() + frame(HEADERS, END_HEADERS, 1, b"\xff" * 50)
    ),
    "an index that does not exist": lambda _: opening() + frame(HEADERS, END_HEADERS, 1, b"\xfe"),
    "a table of 4 GiB": lambda _: (
        opening() + frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\xff\xff\x0f")
    ),
    "padding over the frame": lambda s: (
        opening() + frame(HEADERS, END_HEADERS | 8, 1, b"\xff" + call_headers(MODELS, s.key))
    ),
    "continuation of nothing": lambda _: opening() + frame(CONTINUATION, END_HEADERS, 1, b"a"),
    "a frame between headers": lambda s: (
        opening() + frame(HEADERS, 0, 1, call_headers(MODELS, s.key)) + frame(PING, 0, 0, bytes(8))
    ),
    "no path": lambda _: (
        opening() + frame(HEADERS, END_HEADERS, 1, fields([(b":method", b"POST")]))
    ),
    "a path twice": lambda s: (
        opening() + frame(HEADERS, END_HEADERS, 1, call_headers(MODELS, s.key, (b":path", b"/x")))
    ),
    "GET": lambda _: (
        opening()
        + frame(HEADERS, END_HEADERS, 1, fields([(b":method", b"GET"), (b":path", b"/livez")]))
    ),
    "names in capitals": lambda s: (
        opening() + frame(HEADERS, END_HEADERS, 1, call_headers(MODELS, s.key, (b"X-A", b"b")))
    ),
    "NUL in a header": lambda s: (
        opening() + frame(HEADERS, END_HEADERS, 1, call_headers(MODELS, s.key, (b"x", b"a\0b")))
    ),
    "a timeout that is none": lambda s: (
        opening()
        + frame(HEADERS, END_HEADERS, 1, call_headers(MODELS, s.key, (b"grpc-timeout", b"soon")))
        + frame(DATA, END_STREAM, 1, message(b""))
    ),
    "an unknown packing": lambda s: (
        opening()
        + frame(HEADERS, END_HEADERS, 1, call_headers(MODELS, s.key, (b"grpc-encoding", b"zip")))
        + frame(DATA, END_STREAM, 1, message(b"abc", is_compressed=True))
    ),
    "packed data that is not": lambda s: (
        opening()
        + frame(HEADERS, END_HEADERS, 1, call_headers(MODELS, s.key, (b"grpc-encoding", b"gzip")))
        + frame(DATA, END_STREAM, 1, message(b"abc", is_compressed=True))
    ),
    "a ping of no size": lambda _: opening() + frame(PING, 0, 0, b"abc"),
    "a ping of a stream": lambda _: opening() + frame(PING, 0, 3, bytes(8)),
    "a push": lambda _: opening() + frame(PUSH, END_HEADERS, 1, bytes(8)),
    "a window of nothing": lambda _: opening() + frame(WINDOW, 0, 0, bytes(4)),
    "a window of no size": lambda _: opening() + frame(WINDOW, 0, 0, b"a"),
    "a window that overflows": lambda _: (
        opening() + frame(WINDOW, 0, 0, struct.pack(">I", 2**31 - 1)) * 2
    ),
    "a stream that depends on itself": lambda s: (
        opening() + frame(PRIORITY, 0, 1, struct.pack(">IB", 1, 9)) + head(s)
    ),
    "a reset of nothing": lambda _: opening() + frame(RST_STREAM, 0, 9, bytes(4)),
    "a reset of no size": lambda s: opening() + head(s) + frame(RST_STREAM, 0, 1, b"a"),
    "a farewell": lambda s: opening() + frame(GOAWAY, 0, 0, bytes(8)) + head(s),
    "an unknown frame": lambda _: opening() + frame(99, 255, 1, bytes(99)),
}


def _odd(start: int, count: int) -> range:
    return range(2 * start + 1, 2 * (start + count) + 1, 2)


Flood = Callable[[AttackedService, int, int], Iterator[bytes]]

FLOODS: dict[str, Flood] = {
    "settings": lambda _, start, count: (frame(SETTINGS, 0, 0) for _ in range(count)),
    "pings": lambda _, start, count: (frame(PING, 0, 0, bytes(8)) for _ in range(count)),
    "priorities": lambda _, start, count: (
        frame(PRIORITY, 0, stream, struct.pack(">IB", 0, 9)) for stream in _odd(start, count)
    ),
    "windows": lambda _, start, count: (
        frame(WINDOW, 0, 0, struct.pack(">I", 1)) for _ in range(count)
    ),
    "resets": lambda service, start, count: (
        head(service, stream) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
        for stream in _odd(start, count)
    ),
    "resets of strangers": lambda _, start, count: (
        frame(HEADERS, END_HEADERS, stream, call_headers(CHECK, None))
        + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
        for stream in _odd(start, count)
    ),
    "continuations": lambda service, start, count: (
        (frame(HEADERS, 0, 1, call_headers(MODELS, service.key)) if start == 0 else b"")
        + frame(CONTINUATION, 0, 1, fields([(b"x", b"y" * 50)]))
        for _ in range(count)
    ),
    "empty continuations": lambda service, start, count: (
        (frame(HEADERS, 0, 1) if start + number == 0 else b"") + frame(CONTINUATION, 0, 1)
        for number in range(count)
    ),
    "empty data": lambda service, start, count: (
        (head(service) if start + number == 0 else b"") + frame(DATA, 0, 1)
        for number in range(count)
    ),
    "streams": lambda service, start, count: (head(service, s) for s in _odd(start, count)),
    "streams of strangers": lambda _, start, count: (
        frame(HEADERS, END_HEADERS, stream, call_headers(CHECK, None))
        for stream in _odd(start, count)
    ),
    "entries of the header table": lambda service, start, count: (
        frame(HEADERS, END_HEADERS, stream,
              call_headers(MODELS, service.key) + b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000)
        for stream in _odd(start, min(count, 100))
    ),
}  # fmt: skip
