"""What the log tells of requests: whose they were, and never a key."""

import contextlib

import grpc
import httpx
import pytest
from device import CLICK, until
from keys import key_line, refusal

from suresam.access.limits import KeyLimits
from suresam.api.grpc.edge import _address
from suresam.api.request_log import ACCESS
from suresam.domain import Point, Prompt
from suresam.errors import (
    PermissionDenied,
    ServiceError,
    Unauthenticated,
)
from suresam.segmentation.fake import FakeBackbone


async def test_keys_are_in_no_log(serving, connect, transport, alice, bob, photo, caplog):
    caplog.set_level("DEBUG", "suresam")
    async with (
        serving(api_keys=f"{key_line('alice', alice)};{key_line('m', bob, 'metrics')}") as running,
        connect(running, transport, api_key=alice) as client,
        connect(running, transport, api_key=bob) as scraper,
        connect(running, transport, api_key="sk_suresam_unknown") as stranger,
    ):
        await client.segment(photo(), CLICK)
        assert isinstance(await refusal(scraper.models()), PermissionDenied)
        assert isinstance(await refusal(stranger.models()), Unauthenticated)
    assert "permission_denied" in caplog.text
    assert not [key for key in (alice, bob, "sk_suresam_unknown") if key in caplog.text]


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
    keys = f"{key_line('alice', alice, limits=burst)};{key_line('prometheus', bob, 'metrics')}"
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
        serving(fake, api_keys=key_line("alice", alice)) as running,
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
    keys = f"{key_line('alice', alice, limits=burst)};{key_line('prometheus', bob, 'metrics')}"
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
