"""API keys over both transports: nothing without one, and nothing of another tenant's."""

import grpc
import httpx
from device import value
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from keys import key_line, refusal

from suresam.access.door import OpenDoor
from suresam.access.key import new_key
from suresam.api.closing import Closing
from suresam.api.grpc.gate import NEEDS as GRPC_NEEDS
from suresam.api.rest.application import Service, build_fastapi
from suresam.api.rest.gate import NEEDS as REST_NEEDS
from suresam.errors import Unauthenticated
from suresam.pb import segmentation_pb2
from suresam.segmentation.images import ImageLimits
from suresam.telemetry import Telemetry

PROBES = {("GET", "/livez"), ("GET", "/readyz")}


def routes() -> set[tuple[str, str]]:
    """Every method and path that the application itself answers."""
    telemetry = Telemetry()
    app = build_fastapi(
        Service(OpenDoor(telemetry), None, bool, telemetry, None, ImageLimits(), 1, Closing())
    )
    return {(method, route.path) for route in app.routes for method in route.methods}


def test_the_gates_table_lists_every_route_of_the_application_and_no_other():
    listed = {(method, path) for path, needs in REST_NEEDS.items() for method in needs}
    assert listed == routes()


async def test_no_route_or_method_answers_without_a_key_but_the_probes(serving, alice):
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
    paths = {path for _, path in routes()} | {"/", "/v1", "/v1/other", "/static/x", "//livez"}
    keys = (None, "Bearer", f"Basic {alice}", "Bearer wrong", f"Bearer {alice}x")
    async with (
        serving(api_keys=key_line("alice", alice)) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.http_port}", timeout=60) as http,
    ):
        for path in sorted(paths):
            for method in methods:
                # A method that is refused for all keys alike is tried with one of them.
                for key in keys if (method, path) in routes() else keys[:1]:
                    headers = {} if key is None else {"authorization": key}
                    url = path.replace("{session_id}", "mine")
                    answer = await http.request(method, url, headers=headers)
                    if (method, path) in PROBES:
                        assert answer.status_code == 200
                        continue
                    assert answer.status_code == 401, (method, path, key)
                    assert answer.headers["www-authenticate"] == 'Bearer realm="suresam"'
                    if method != "HEAD":
                        error = answer.json()["error"]
                        assert error["code"] == "unauthenticated"
                        assert error["request_id"] == answer.headers["x-request-id"]
        refused = value(running, "rejected_total", reason="unauthenticated")
        assert refused > len(paths) * len(methods)


async def test_with_a_key_unknown_routes_and_methods_are_told_apart(serving, alice):
    async with (
        serving(api_keys=key_line("alice", alice)) as running,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{running.http_port}",
            headers={"authorization": f"Bearer {alice}"},
            timeout=60,
        ) as http,
    ):
        assert (await http.get("/v1/other")).status_code == 404
        answer = await http.get("/v1/segment")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert answer.json()["error"]["code"] == "method_not_allowed"
        document = (await http.get("/openapi.json")).json()
        assert document["security"] == [{"api_key": []}]
        assert document["paths"]["/livez"]["get"]["security"] == []
        assert (await http.get("/docs")).status_code == 200


async def test_a_scope_opens_its_own_routes_only(serving, alice, bob):
    admin = new_key()
    keys = (
        key_line("alice", alice),
        key_line("prometheus", bob, "metrics"),
        key_line("ops", admin, "admin"),
    )
    async with (
        serving(api_keys=";".join(keys)) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.http_port}", timeout=60) as http,
    ):
        wanted = {
            ("/metrics", alice): 403, ("/metrics", bob): 200, ("/metrics", admin): 200,
            ("/v1/models", alice): 200, ("/v1/models", bob): 403, ("/v1/models", admin): 200,
            ("/docs", alice): 200, ("/docs", bob): 403,
        }  # fmt: skip
        for (path, key), status in wanted.items():
            answer = await http.get(path, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == status, path
            if status == 403:
                assert answer.json()["error"]["code"] == "permission_denied"
        twice = [("authorization", f"Bearer {alice}"), ("authorization", f"Bearer {admin}")]
        assert (await http.get("/metrics", headers=twice)).status_code == 401


async def test_no_grpc_method_answers_without_a_key_but_health(serving, alice):
    async with serving(api_keys=key_line("alice", alice)) as running:
        address = f"127.0.0.1:{running.grpc_port}"
        async with grpc.aio.insecure_channel(address) as channel:
            for method, needs in {**GRPC_NEEDS, "/a.B/C": None}.items():
                if needs == "nothing":
                    continue
                for key in (None, "wrong"):
                    metadata = () if key is None else (("authorization", f"Bearer {key}"),)
                    call = channel.stream_stream(method)(metadata=metadata)
                    assert await call.code() == grpc.StatusCode.UNAUTHENTICATED, method
                    trailing = dict(await call.trailing_metadata())
                    assert trailing["suresam-error-code"] == "unauthenticated"
                    assert trailing["x-request-id"]
            health = health_pb2_grpc.HealthStub(channel)
            status = (await health.Check(health_pb2.HealthCheckRequest())).status
            assert status == health_pb2.HealthCheckResponse.SERVING


async def test_the_grpc_gates_table_lists_every_method_of_the_server_and_no_other(serving, alice):
    metadata = (("authorization", f"Bearer {alice}"),)
    async with serving(api_keys=key_line("alice", alice)) as running:
        address = f"127.0.0.1:{running.grpc_port}"
        async with grpc.aio.insecure_channel(address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            asked = reflection_pb2.ServerReflectionRequest(list_services="")
            call = stub.ServerReflectionInfo(iter([asked]), metadata=metadata)
            names = {s.name for s in (await call.read()).list_services_response.service}
            unknown = channel.unary_unary("/a.B/C")(b"", metadata=metadata)
            assert await unknown.code() == grpc.StatusCode.UNIMPLEMENTED
    files = (segmentation_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
    services = {s.full_name: s for file in files for s in file.services_by_name.values()}
    assert names == set(services)
    methods = {f"/{name}/{method}" for name, s in services.items() for method in s.methods_by_name}
    assert methods == set(GRPC_NEEDS)


async def test_clients_take_their_key_from_the_environment(
    serving, connect, transport, alice, monkeypatch
):
    async with serving(api_keys=key_line("alice", alice)) as running:
        monkeypatch.setenv("SURESAM_API_KEY", alice)
        async with connect(running, transport) as client:
            await client.models()
        async with connect(running, transport, api_key="another") as client:
            assert isinstance(await refusal(client.models()), Unauthenticated)
