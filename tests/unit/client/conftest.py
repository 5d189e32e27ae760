"""Real servers on free ports that answer from a script and remember what they were asked."""

# ruff: noqa: N802, N815 (http.server and gRPC choose the handlers' names)

import email
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health, health_pb2_grpc

from suresam.api.status import grpc_code, http_status, retry_after_s
from suresam.client import AsyncClient, AsyncGrpcClient, Client, GrpcClient, RetryPolicy
from suresam.domain import (
    ImageSize,
    SegmentRequest,
    SegmentResponse,
    ServiceInfo,
    Session,
    SessionImage,
    Timings,
)
from suresam.errors import ServiceError
from suresam.pb import segmentation_pb2_grpc
from suresam.wire import grpc as messages
from suresam.wire import rest as bodies

QUICK = RetryPolicy(max_attempts=3, base_delay_s=0.001)


@dataclass
class Asked:
    """What one call said."""

    name: str
    request: SegmentRequest | None = None
    images: list[bytes] = field(default_factory=list)
    session_id: str | None = None
    header: str | None = None
    chunks: list[int] = field(default_factory=list)


class ScriptedService:
    """Refuses with the errors of `script`, one a call, waits for its events, else answers."""

    def __init__(self):
        self.script = []
        self.asked = []
        self.num_images = 0

    def answer(self, asked):
        self.asked.append(asked)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, ServiceError):
            raise step
        if isinstance(step, threading.Event):
            step.wait(60)
        if asked.name == "segment":
            session_id = asked.request.session_id
            return SegmentResponse(ImageSize(4, 3), session_id, (), ("as told",), Timings())
        if asked.name == "models":
            return ServiceInfo("demo", (), {"max_prompts": 256}, "0.1.0")
        if asked.name == "delete":
            return None
        images = []
        for _ in asked.images or [b""]:
            self.num_images += 1
            images.append(SessionImage(f"i-{self.num_images}", 4, 3))
        if asked.name == "add_image":
            return images[0]
        return Session(asked.session_id or "made-by-server", tuple(images), 1_795_250_400.125)


@pytest.fixture
def service():
    return ScriptedService()


class HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.strip("/").split("/")
        if path == ["readyz"]:
            self.reply(200, b"ready")
            return
        try:
            answer = self.server.service.answer(self.asked(path, body))
        except ServiceError as error:
            body = bodies.ErrorBody.from_domain(error, "r-1").model_dump_json().encode()
            pause_s = retry_after_s(error)
            headers = {} if pause_s is None else {"Retry-After": str(pause_s)}
            self.reply(http_status(error), body, headers)
            return
        if answer is None:
            self.reply(204, b"")
            return
        body_type = {
            SegmentResponse: bodies.SegmentResponseBody,
            Session: bodies.SessionBody,
            SessionImage: bodies.SessionImageBody,
            ServiceInfo: bodies.ModelsBody,
        }[type(answer)]
        self.reply(200, body_type.from_domain(answer).model_dump_json().encode())

    do_POST = do_DELETE = do_GET

    def asked(self, path, body):
        fields, images = {}, []
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            form = email.message_from_bytes(b"content-type: " + kind.encode() + b"\n\n" + body)
            for part in form.get_payload():
                name = part.get_param("name", header="content-disposition")
                content = part.get_payload(decode=True)
                images.append(content) if name == "image" else fields.update({name: content})
        asked = Asked("", images=images, header=self.headers.get("x-session-id"))
        match self.command, path[1:]:
            case "POST", ["segment"]:
                asked.name = "segment"
                asked.request = bodies.parse_segment_request(fields["request"], image=images[0])
            case "POST", ["sessions", session_id, "segment"]:
                asked.name = "segment"
                asked.request = bodies.parse_segment_request(body, session_id=session_id)
            case "POST", ["sessions"]:
                asked.name = "create"
                asked.session_id = fields["session_id"].decode() if fields else None
            case "POST", ["sessions", session_id, "images"]:
                asked.name, asked.session_id = "add_image", session_id
            case "GET", ["models"]:
                asked.name = "models"
            case command, ["sessions", session_id]:
                asked.name, asked.session_id = command.lower(), session_id
        return asked

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Stay quiet about clients that hang up."""


@pytest.fixture
def http_url(service):
    server = HttpServer(("127.0.0.1", 0), HttpHandler)
    server.service = service
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class Servicer(segmentation_pb2_grpc.SegmentationServicer):
    def __init__(self, service):
        self.service = service

    def Segment(self, message, context):
        request = messages.segment_request_from_proto(message)
        return messages.segment_response_to_proto(
            self.answer(context, Asked("segment", request=request))
        )

    def UploadAndSegment(self, stream, context):
        header, *rest = stream
        chunks = [message.chunk for message in rest if message.HasField("chunk")]
        prompts = [message.prompt for message in rest if message.HasField("prompt")]
        image = b"".join(chunks)
        assert header.header.image_bytes == len(image)
        request = SegmentRequest(
            tuple(map(messages.prompt_from_proto, prompts)),
            messages.options_from_proto(header.header.options),
            image,
            deadline_ms=header.header.deadline_ms
            if header.header.HasField("deadline_ms")
            else None,
        )
        asked = Asked("segment", request=request, images=[image], chunks=list(map(len, chunks)))
        return messages.segment_response_to_proto(self.answer(context, asked))

    def CreateSession(self, stream, context):
        asked = Asked("create")
        for message in stream:
            if message.HasField("header"):
                asked.session_id = asked.session_id or message.header.session_id or None
                asked.images.append(b"")
            else:
                asked.images[-1] += message.chunk
        return messages.session_to_proto(self.answer(context, asked))

    def GetSession(self, message, context):
        asked = Asked("get", session_id=message.session_id)
        return messages.session_to_proto(self.answer(context, asked))

    def DeleteSession(self, message, context):
        self.answer(context, Asked("delete", session_id=message.session_id))
        return Empty()

    def ListModels(self, message, context):
        return messages.service_info_to_proto(self.answer(context, Asked("models")))

    def answer(self, context, asked):
        asked.header = dict(context.invocation_metadata()).get("x-session-id")
        try:
            return self.service.answer(asked)
        except ServiceError as error:
            trailing = [("suresam-error-code", error.code)]
            pause_s = retry_after_s(error)
            if pause_s is not None:
                trailing.append(("grpc-retry-pushback-ms", str(round(pause_s * 1000))))
            context.set_trailing_metadata(tuple(trailing))
            context.abort(grpc_code(error), error.message)


@pytest.fixture
def grpc_address(service):
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        segmentation_pb2_grpc.add_SegmentationServicer_to_server(Servicer(service), server)
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(0).wait()


class Awaitable:
    """A synchronous client with the methods of an asyncio one, so that one test serves both."""

    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        method = getattr(self.client, name)

        async def call(*arguments, **keywords):
            return method(*arguments, **keywords)

        return call

    def session(self, *images):
        return AwaitableSession(self.client.session(*images))


class AwaitableSession(Awaitable):
    async def __aenter__(self):
        self.client.__enter__()
        return self

    async def __aexit__(self, *error):
        self.client.__exit__(*error)

    @property
    def session_id(self):
        return self.client.session_id

    @property
    def image_ids(self):
        return self.client.image_ids


@pytest.fixture(params=["rest", "rest-async", "grpc", "grpc-async"])
async def client(request):
    """Each of the four clients, connected to the scripted service."""
    transport, _, is_async = request.param.partition("-")
    where = request.getfixturevalue("http_url" if transport == "rest" else "grpc_address")
    kinds = {"rest": (Client, AsyncClient), "grpc": (GrpcClient, AsyncGrpcClient)}
    kind = kinds[transport][bool(is_async)]
    if is_async:
        async with kind(where, retry=QUICK) as client:
            yield client
    else:
        with kind(where, retry=QUICK) as client:
            yield Awaitable(client)
