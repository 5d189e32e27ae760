"""API keys over both transports: nothing without one, and nothing of another tenant's."""

import asyncio
import contextlib
import gc
import re
import signal
from contextlib import AsyncExitStack

import grpc
import httpx
import pytest
from device import CLICK, hold, until, value
from engines import members_of
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from heads import expecting_gains

import suresam.app.running
from suresam.access.door import OpenDoor
from suresam.access.key import digest_of, new_key
from suresam.access.key_list import KeyEntry
from suresam.access.limits import KeyLimits
from suresam.api.closing import Closing
from suresam.api.grpc.edge import _address
from suresam.api.grpc.gate import NEEDS as GRPC_NEEDS
from suresam.api.request_log import ACCESS
from suresam.api.rest.application import Service, build_fastapi
from suresam.api.rest.gate import NEEDS as REST_NEEDS
from suresam.app.compose import compose
from suresam.app.devices import LocalModels
from suresam.app.running import RunningService
from suresam.app.serve import _run
from suresam.domain import Point, Prompt
from suresam.errors import (
    PermissionDenied,
    RateLimited,
    ServiceError,
    SessionNotFound,
    Unauthenticated,
)
from suresam.pb import segmentation_pb2
from suresam.segmentation.fake import FakeBackbone
from suresam.segmentation.images import ImageLimits
from suresam.settings import read_settings
from suresam.telemetry import Telemetry

PROBES = {("GET", "/livez"), ("GET", "/readyz")}
NO_LIMITS = KeyLimits()


def line(name: str, key: str, scope: str = "infer", limits: KeyLimits = NO_LIMITS) -> str:
    return KeyEntry(name, frozenset(scope.split(",")), digest_of(key), limits).line()


def routes() -> set[tuple[str, str]]:
    """Every method and path that the application itself answers."""
    telemetry = Telemetry()
    app = build_fastapi(
        Service(OpenDoor(telemetry), None, bool, telemetry, None, ImageLimits(), 1, Closing())
    )
    return {(method, route.path) for route in app.routes for method in route.methods}


@pytest.fixture
def alice():
    return new_key()


@pytest.fixture
def bob():
    return new_key()


def test_the_gates_table_lists_every_route_of_the_application_and_no_other():
    listed = {(method, path) for path, needs in REST_NEEDS.items() for method in needs}
    assert listed == routes()


async def test_no_route_or_method_answers_without_a_key_but_the_probes(serving, alice):
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
    paths = {path for _, path in routes()} | {"/", "/v1", "/v1/other", "/static/x", "//livez"}
    keys = (None, "Bearer", f"Basic {alice}", "Bearer wrong", f"Bearer {alice}x")
    async with (
        serving(api_keys=line("alice", alice)) as running,
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
        serving(api_keys=line("alice", alice)) as running,
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
    keys = (line("alice", alice), line("prometheus", bob, "metrics"), line("ops", admin, "admin"))
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
    async with serving(api_keys=line("alice", alice)) as running:
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
    async with serving(api_keys=line("alice", alice)) as running:
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


@pytest.fixture
async def two(serving, connect, transport, alice, bob):
    """A service and its device, and two tenants' clients."""
    fake = FakeBackbone()
    async with AsyncExitStack() as stack:
        keys = f"{line('alice', alice)}\n{line('bob', bob)}"
        running = await stack.enter_async_context(serving(fake, api_keys=keys))
        clients = [
            await stack.enter_async_context(connect(running, transport, api_key=key))
            for key in (alice, bob)
        ]
        yield running, fake, *clients


async def refusal(work) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await work
    return caught.value


async def test_another_tenants_session_answers_like_one_that_does_not_exist(two, photo):
    _, _, alice, bob = two
    await alice.create_session([photo()], "hers")
    asks = {
        "get": lambda session_id: bob.get_session(session_id),
        "delete": lambda session_id: bob.delete_session(session_id),
        "segment": lambda session_id: bob.segment_session(session_id, CLICK),
    }
    for name, ask in asks.items():
        hers, none = await refusal(ask("hers")), await refusal(ask("nils"))
        assert type(hers) is type(none) is SessionNotFound, name
        assert hers.message.replace("hers", "nils") == none.message
    assert len((await alice.segment_session("hers", CLICK)).results[0].masks) == 3


async def test_two_tenants_may_have_sessions_of_one_name(two, photo):
    _, _, alice, bob = two
    await alice.create_session([photo(64, 48)], "same")
    await bob.create_session([photo(32, 24)], "same")
    sizes = [(await client.get_session("same")).images[0].width for client in (alice, bob)]
    assert sizes == [64, 32]
    await bob.delete_session("same")
    await alice.get_session("same")


async def test_another_tenants_cached_image_saves_no_encode(two, photo):
    running, fake, alice, bob = two
    fake.launches.clear()
    for client, result in ((alice, "miss"), (alice, "hit"), (bob, "miss")):
        labels = {"model": "fake-small", "tier": "device", "result": result}
        before = value(running, "cache_requests_total", **labels)
        await client.segment(photo(), CLICK)
        assert value(running, "cache_requests_total", **labels) == before + 1
    assert [stage for stage, _ in fake.launches].count("encode") == 2


async def test_adding_an_image_to_another_tenants_session_is_refused_alike(
    serving, connect, alice, bob, photo
):
    keys = f"{line('alice', alice)}\n{line('bob', bob)}"
    async with (
        serving(api_keys=keys) as running,
        connect(running, "rest", api_key=alice) as hers,
        connect(running, "rest", api_key=bob) as his,
    ):
        await hers.create_session([photo()], "hers")
        one = await refusal(his.add_image("hers", photo()))
        other = await refusal(his.add_image("nils", photo()))
        assert one.message.replace("hers", "nils") == other.message


@pytest.fixture
async def limited(serving, connect, transport):
    """Makes a client of a tenant with limits; beside it one of another tenant without."""
    async with AsyncExitStack() as stack:

        async def make(fake=None, **limits):
            key, free = new_key(), new_key()
            keys = f"{line('a', key, limits=KeyLimits(**limits))};{line('b', free)}"
            running = await stack.enter_async_context(
                serving(fake or FakeBackbone(), api_keys=keys)
            )
            clients = [
                await stack.enter_async_context(connect(running, transport, api_key=k))
                for k in (key, free)
            ]
            return running, *clients

        yield make


async def test_requests_over_the_rate_are_refused_and_told_when_to_come_back(limited):
    running, client, other = await limited(requests_per_s=0.01, burst=2)
    await client.models()
    await client.models()
    error = await refusal(client.models())
    assert isinstance(error, RateLimited)
    assert 0 < error.retry_after_s <= 100
    assert re.match(r"too many requests \(limit 0.01 a second for this key\)", error.message)
    assert value(running, "rejected_total", reason="requests_per_s") == 1
    await other.models()
    assert await client.ready()


async def test_requests_at_a_time_are_limited_for_each_tenant(limited, photo):
    fake = FakeBackbone()
    running, client, other = await limited(fake, concurrent=1)
    await client.create_session([photo()], "mine")
    click = await hold(fake, client, "mine")
    error = await refusal(client.get_session("mine"))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s > 0
    assert value(running, "rejected_total", reason="concurrent") == 1
    await other.models()
    fake.gate.set()
    await click
    await client.get_session("mine")


@pytest.mark.parametrize("kind", ["segment", "create_session"])
async def test_device_time_is_owed_until_it_is_paid(limited, photo, kind):
    running, client, other = await limited(device_ms_per_s=1e-6)
    if kind == "segment":
        await client.segment(photo(), CLICK)
    else:
        await client.create_session([photo()])
    error = await refusal(client.models())
    assert isinstance(error, RateLimited)
    assert "of device time are owed" in error.message
    assert value(running, "rejected_total", reason="device_ms_per_s") == 1
    await other.models()


async def test_each_prompt_of_a_stream_counts_as_a_request(serving, connect, photo):
    key = new_key()
    keys = line("a", key, limits=KeyLimits(requests_per_s=0.01, burst=3))
    async with serving(api_keys=keys) as running, connect(running, "grpc", api_key=key) as client:
        session = await client.create_session([photo()])
        told = [a.result async for a in client.interact(session.session_id, [CLICK] * 3)]
    codes = sorted("ok" if result.error is None else result.error.code for result in told)
    assert codes == ["ok", "ok", "rate_limited"]
    [late] = [result.error for result in told if result.error is not None]
    assert late.retry_after_ms > 0


@pytest.fixture
def quick_looks(monkeypatch):
    monkeypatch.setattr(suresam.app.running, "_LOOK_AT_FILES_EVERY_S", 0.005)


async def answers(client) -> bool:
    try:
        await client.models()
    except Unauthenticated:
        return False
    return True


async def eventually(client, expected: bool) -> None:
    for _ in range(4000):
        if await answers(client) is expected:
            return
        await asyncio.sleep(0.005)
    pytest.fail("the file was not taken up")


async def test_a_changed_file_is_taken_up_and_a_broken_one_is_not(
    serving, connect, transport, alice, bob, tmp_path, quick_looks, caplog
):
    file = tmp_path / "keys"
    file.write_text(line("alice", alice) + "\n")
    async with (
        serving(api_keys_file=str(file)) as running,
        connect(running, transport, api_key=alice) as hers,
        connect(running, transport, api_key=bob) as his,
    ):
        assert (await answers(hers), await answers(his)) == (True, False)
        file.write_text(f"{line('alice', alice)}\n{line('bob', bob)}\n")
        await eventually(his, True)
        file.write_text(f"{line('alice', alice)}\nbob infer {bob}\n")
        await until(lambda: "what was read before still holds" in caplog.text)
        assert (await answers(hers), await answers(his)) == (True, True)
        file.unlink()
        await until(lambda: "cannot read the API keys" in caplog.text)
        assert (await answers(hers), await answers(his)) == (True, True)
        file.write_text(line("bob", bob) + "\n")
        await eventually(hers, False)
        assert await answers(his)
        file.write_text("# nobody\n")
        await eventually(his, False)
        assert await refusal(hers.models())
    assert bob not in caplog.text


async def test_the_file_is_read_again_on_sighup(connect, alice, bob, tmp_path, monkeypatch):
    monkeypatch.setattr(suresam.app.running, "_LOOK_AT_FILES_EVERY_S", 1e6)
    monkeypatch.setattr(gc, "freeze", lambda: None)  # all other tests' objects are here as well
    file = tmp_path / "keys"
    file.write_text(line("alice", alice))
    settings = read_settings({"http_port": 0, "grpc_port": 0, "api_keys_file": str(file)})
    running = RunningService(compose(settings, LocalModels("fake", members_of([FakeBackbone()]))))
    service = asyncio.create_task(_run(running))
    await until(running.is_ready)
    async with connect(running, "rest", api_key=bob) as client:
        assert not await answers(client)
        file.write_text(line("bob", bob))
        signal.raise_signal(signal.SIGHUP)
        await eventually(client, True)
    signal.raise_signal(signal.SIGTERM)
    await service


async def test_a_stream_ends_when_its_key_is_taken_away(serving, connect, alice, tmp_path, photo):
    file = tmp_path / "keys"
    file.write_text(line("alice", alice))
    more = asyncio.Event()

    async def clicks():
        yield CLICK
        await more.wait()
        yield CLICK

    async with (
        serving(api_keys_file=str(file)) as running,
        connect(running, "grpc", api_key=alice) as client,
    ):
        session = await client.create_session([photo()])
        stream = client.interact(session.session_id, clicks())
        assert (await anext(stream)).result.error is None
        file.write_text(line("somebody", new_key()))
        running.read_files_again()
        more.set()
        with pytest.raises(Unauthenticated, match="taken away"):
            await anext(stream)


async def test_keys_are_in_no_log(serving, connect, transport, alice, bob, photo, caplog):
    caplog.set_level("DEBUG", "suresam")
    async with (
        serving(api_keys=f"{line('alice', alice)};{line('m', bob, 'metrics')}") as running,
        connect(running, transport, api_key=alice) as client,
        connect(running, transport, api_key=bob) as scraper,
        connect(running, transport, api_key="sk_suresam_unknown") as stranger,
    ):
        await client.segment(photo(), CLICK)
        assert isinstance(await refusal(scraper.models()), PermissionDenied)
        assert isinstance(await refusal(stranger.models()), Unauthenticated)
    assert "permission_denied" in caplog.text
    assert not [key for key in (alice, bob, "sk_suresam_unknown") if key in caplog.text]


async def test_clients_take_their_key_from_the_environment(
    serving, connect, transport, alice, monkeypatch
):
    async with serving(api_keys=line("alice", alice)) as running:
        monkeypatch.setenv("SURESAM_API_KEY", alice)
        async with connect(running, transport) as client:
            await client.models()
        async with connect(running, transport, api_key="another") as client:
            assert isinstance(await refusal(client.models()), Unauthenticated)


async def test_a_keys_requests_go_to_a_larger_member_within_its_share(
    serving, connect, transport, photo, alice, bob
):
    keys = f"{line('alice', alice, limits=KeyLimits(large_share=0))};{line('bob', bob)}"
    heads = expecting_gains("fake-small", {10: {"fake-large": 0.3}})
    async with serving(heads=heads, route="auto", api_keys=keys) as running:
        reasons = []
        for key in (alice, bob):
            async with connect(running, transport, api_key=key) as client:
                answer = await client.segment(photo(red=10), CLICK)
                reasons.append(answer.results[0].route.reason)
    assert reasons == ["key_budget", "expected_gain"]


def told(caplog, name: str) -> list[tuple[str | None, ...]]:
    """Code, tenant and address of the lines of a log."""
    fields = ("code", "tenant", "address")
    records = [record for record in caplog.records if record.name == name]
    return [tuple(getattr(record, field, None) for field in fields) for record in records]


async def test_the_log_tells_who_was_refused_and_on_demand_who_was_answered(
    serving, connect, transport, alice, bob, photo, caplog
):
    caplog.set_level("INFO", "suresam")
    caplog.set_level("INFO", ACCESS)
    burst = KeyLimits(requests_per_s=0.01, burst=1)
    keys = f"{line('alice', alice, limits=burst)};{line('prometheus', bob, 'metrics')}"
    async with serving(api_keys=keys) as running:
        for key in (alice, alice, bob, "sk_suresam_unknown"):
            async with connect(running, transport, api_key=key) as client:
                with contextlib.suppress(ServiceError):
                    await client.models()
        await until(lambda: len(told(caplog, ACCESS)) == 4)
    failures = [
        ("rate_limited", "alice", "127.0.0.1"),
        ("permission_denied", "prometheus", "127.0.0.1"),
        ("unauthenticated", None, "127.0.0.1"),
    ]
    assert told(caplog, "suresam.api.request_log") == failures
    assert told(caplog, ACCESS) == [("ok", "alice", "127.0.0.1"), *failures]
    answers = [record for record in caplog.records if record.name == ACCESS]
    method = {"rest": "GET /v1/models", "grpc": "ListModels"}[transport]
    assert {(record.api, record.method) for record in answers} == {(transport, method)}


async def test_a_prompt_of_a_stream_that_fails_tells_whose_it_was(
    serving, connect, alice, photo, caplog
):
    caplog.set_level("INFO", "suresam")
    fake = FakeBackbone()
    async with (
        serving(fake, api_keys=line("alice", alice)) as running,
        connect(running, "grpc", api_key=alice) as client,
    ):
        session = await client.create_session([photo()])
        wrong = Prompt(points=(Point(9999, 1),))
        [answer] = [got async for got in client.interact(session.session_id, [wrong])]
    assert answer.result.error.code == "invalid_prompt"
    assert told(caplog, "suresam.api.request_log") == [("invalid_prompt", "alice", "127.0.0.1")]


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:50000", "10.0.0.7"),
        ("ipv6:%5B2001:db8::1%5D:50000", "2001:db8::1"),
        ("unix:", None),
    ],
)
def test_the_address_of_a_grpc_client_has_no_port(peer, address):
    assert _address(peer) == address


async def test_what_is_refused_at_the_door_keeps_the_name_of_a_known_route_alone(
    serving, alice, bob
):
    burst = KeyLimits(requests_per_s=0.01, burst=1)
    keys = f"{line('alice', alice, limits=burst)};{line('prometheus', bob, 'metrics')}"
    async with (
        serving(api_keys=keys) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.http_port}") as http,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel,
    ):
        for key in (alice, bob, "sk_suresam_unknown"):
            headers = {"authorization": f"Bearer {key}"}
            for method, path in [
                ("GET", "/v1/sessions/mine"),
                ("PROPFIND", "/v1/models"),
                ("GET", "/v1/mine"),
            ]:
                await http.request(method, path, headers=headers)
            for name in ("suresam.v1.Segmentation/ListModels", "suresam.v1.Mine/Mine"):
                metadata = tuple(headers.items())
                await channel.unary_unary(f"/{name}")(b"", metadata=metadata).code()
        # Whoever has the scope is told that there is no such route.
        refused = {
            ("rest", "GET /v1/sessions/{session_id}", "session_not_found"): 1,
            ("rest", "unknown", "method_not_allowed"): 2,
            ("rest", "unknown", "not_found"): 2,
            ("rest", "GET /v1/sessions/{session_id}", "permission_denied"): 1,
            ("rest", "GET /v1/sessions/{session_id}", "unauthenticated"): 1,
            ("rest", "unknown", "unauthenticated"): 2,
            ("grpc", "ListModels", "rate_limited"): 1,
            ("grpc", "ListModels", "permission_denied"): 1,
            ("grpc", "ListModels", "unauthenticated"): 1,
            ("grpc", "unknown", "unauthenticated"): 1,
        }

        def counted() -> dict[tuple[str, ...], float]:
            names = ("api", "method", "code")
            return {
                tuple(sample.labels[name] for name in names): sample.value
                for metric in running.composition.telemetry.requests.collect()
                for sample in metric.samples
                if sample.name.endswith("_total")
            }

        await until(lambda: sum(counted().values()) == sum(refused.values()))
        assert counted() == refused
