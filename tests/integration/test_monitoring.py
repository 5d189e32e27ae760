"""A real Prometheus scrapes the real service and answers whatever the dashboards ask."""

import asyncio
import math
import time

import httpx
import pytest
import yaml
from dashboards import Query, queries
from device import CLICK, hold, until, value, waiting
from heads import expecting
from integration.prometheus_process import CONFIG, Prometheus, prometheus
from programs import program

from suresam.access.key import digest_of, new_key
from suresam.access.key_list import KeyEntry
from suresam.access.limits import KeyLimits
from suresam.domain import Point, Prompt, RouteRequest
from suresam.errors import InvalidPrompt, Overloaded
from suresam.segmentation.fake import FakeBackbone

PATIENCE_S = 90
STAYS = RouteRequest(mode="auto", min_gain=0.9)
MAY_BE_ZERO = {
    # Nobody waits while nobody is held, and nobody is while Prometheus looks.
    "Oldest wait", "Queue age", "Queue depth", "Work waiting", "In progress",
    "Drift", "Quality lost to load",  # this hour is the week, and there was room for everybody
}  # fmt: skip


ZERO_WHEN_FRESH = {
    "Escalated", "Refused before any work", "Callers who left",
    "Results with an error of their own",
    "Dropped", "Refused at the door", "Refused at the door, by call", "Drawn by shadow mode",
}  # fmt: skip
"""Of what nobody did there is 0, and not no data."""

KEY = new_key()


class Visitors:
    """Who brings something of everything that is measured, again and again."""

    def __init__(self, running, fake, rest, grpc, photo) -> None:
        self.running, self.fake, self.photo = running, fake, photo
        self.rest, self.grpc = rest, grpc

    async def come(self) -> None:
        session = await self.rest.create_session([self.photo(red=30)])
        for _ in range(12):  # with fewer, the one refused below would keep the next visitor out
            await self.grpc.segment_session(session.session_id, [CLICK, CLICK])
        for red in (40, 50, 60):
            await self.rest.segment(self.photo(red=red), CLICK, route=STAYS)
        failed = await self.rest.segment(self.photo(red=self.fake.poison), CLICK)
        assert failed.results[0].error.code == "inference_failed"
        with pytest.raises(InvalidPrompt):
            await self.rest.segment(self.photo(), Prompt(points=(Point(9999, 1),)))
        await self.overload(session.session_id)
        async with httpx.AsyncClient() as stranger:
            url = f"http://127.0.0.1:{self.running.http_port}/v1/models"
            assert (await stranger.get(url)).status_code == 401
        self.elsewhere()

    def elsewhere(self) -> None:
        """What a service with TLS and one in shadow mode would measure."""
        telemetry = self.running.composition.telemetry
        telemetry.tls_certificate_expiry.labels("server").set(time.time() + 86400)
        telemetry.shadow.labels("compared").inc()
        telemetry.shadow_gain.observe(0.03)
        telemetry.shadow_gain_error.observe(0.03)

    async def overload(self, session_id: str) -> None:
        """One on the device, one who waits and leaves, one for whom there is no room."""
        left = value(self.running, "cancelled_total", stage="decode")
        held = await hold(self.fake, self.rest, session_id)
        waits = asyncio.create_task(self.rest.segment_session(session_id, CLICK))
        await waiting(self.running, 1)
        with pytest.raises(Overloaded):
            await self.grpc.segment_session(session_id, CLICK)
        waits.cancel()
        await until(lambda: value(self.running, "cancelled_total", stage="decode") > left)
        self.fake.gate.set()
        await held
        await until(lambda: value(self.running, "requests_in_flight") == 0)


async def answered(prometheus: Prometheus, query: Query) -> bool:
    """Whether the answer is live: there are figures, and not only zeros where there should be."""
    figures = await prometheus.values(query.filled())
    live = [figure for figure in figures if not math.isnan(figure)]
    return any(live) or bool(live and query.panel in MAY_BE_ZERO)


async def test_every_query_of_every_panel_is_answered_with_live_figures(
    serving, connect, photo, tmp_path
):
    program("prometheus")
    small, large = FakeBackbone("fake-small"), FakeBackbone("fake-large")
    limits = {"max_in_flight": 2, "cache_bytes": 36, "host_cache_bytes": 24, "route": "auto"}
    entry = KeyEntry("all", frozenset({"admin"}), digest_of(KEY), KeyLimits())
    unanswered = queries()
    async with (
        serving(
            small, large, heads=expecting(model_gap=0.1), api_keys=entry.line(), **limits
        ) as running,
        connect(running, "rest", api_key=KEY) as rest,
        connect(running, "grpc", api_key=KEY) as grpc,
        prometheus(tmp_path, f"127.0.0.1:{running.http_port}", KEY) as server,
    ):
        await check_fresh(server)
        visitors = Visitors(running, small, rest, grpc, photo)
        gives_up_at = time.monotonic() + PATIENCE_S
        while unanswered and time.monotonic() < gives_up_at:
            if not await server.values("up == 1"):  # whom to scrape it finds out every 5 s only
                await asyncio.sleep(0.05)
                continue
            await visitors.come()
            unanswered = [query for query in unanswered if not await answered(server, query)]
        assert not unanswered
        await check_rules(server)


async def check_fresh(server: Prometheus) -> None:
    """Before anybody came."""
    asked = [query for query in queries() if query.panel in ZERO_WHEN_FRESH]
    assert {query.panel for query in asked} == ZERO_WHEN_FRESH
    found = {query: await server.values(query.filled()) for query in asked}
    assert found == {query: [0.0] for query in asked}


async def check_rules(server: Prometheus) -> None:
    """All of the file are there, and were evaluated without an error."""
    groups = (await server.ask("rules"))["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    committed = yaml.safe_load((CONFIG.parent / "rules.yml").read_text())["groups"]
    names = [rule.get("record") or rule["alert"] for group in committed for rule in group["rules"]]
    assert sorted(rule["name"] for rule in found) == sorted(names)
    assert {rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"} == {}
