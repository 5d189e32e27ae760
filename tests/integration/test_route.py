"""Escalation as delivered: the real command with the bundled pair, through both transports."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.conftest import ended_by
from PIL import Image

from suresam.benchmarks.server_process import ServerProcess
from suresam.cli import main
from suresam.client import Client, GrpcClient
from suresam.domain import Point, Prompt, RouteRequest, UncertaintyRequest
from suresam.masks.rle import decode_rle

PHOTO = Path(__file__).parents[2] / "docs" / "coffee.jpg"
PROMPTS = [
    Prompt(points=(Point(x, y),), prompt_id=f"{x}-{y}")
    for x in (60, 180, 300, 420, 540)
    for y in (60, 200, 340)
]
PATIENT = 60_000.0


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    options = ("--route", "auto", "--max-escalation-backlog-ms", "100000")
    with ended_by(signal.SIGTERM, *options) as server:
        yield server


@pytest.fixture(params=["rest", "grpc"])
def client(request, server):
    kind, address = {"rest": (Client, server.url), "grpc": (GrpcClient, server.address)}[
        request.param
    ]
    with kind(address, timeout_s=120) as client:
        yield client


def ask(client, session, mode="auto", prompts=PROMPTS, **options):
    route = RouteRequest(mode=mode, **options.pop("route", {}))
    return client.segment_session(session, prompts, route=route, deadline_ms=PATIENT, **options)


@pytest.fixture
def session(client):
    return client.create_session([PHOTO.read_bytes()]).session_id


def masks_of(result):
    return [decode_rle(mask.rle) for mask in result.masks]


def iou(one, other):
    return (one & other).sum() / max(1, (one | other).sum())


def test_every_receipt_is_true(client, session):
    small, large, auto = (ask(client, session, mode).results for mode in ("small", "large", "auto"))
    escalated = [result.route.escalated for result in auto]
    assert 0 < sum(escalated) < len(escalated)
    for first, second, given in zip(small, large, auto, strict=True):
        expected = first.masks[first.best].uncertainty.model_gap
        assert given.route.expected_gain == pytest.approx(expected, abs=1e-4)
        route = given.route
        if abs(expected - 0.02) < 1e-3:
            continue
        assert route.escalated is (expected > 0.02)
        assert (route.model, route.role, route.reason) == (
            ("demo-large", "large", "expected_gain")
            if route.escalated
            else ("demo-small", "small", "gain_below_threshold")
        )
        assert route.cost["spent"] > 0
        # The very masks of the member that is named, whatever the order.
        source = masks_of(second if route.escalated else first)
        for mask in masks_of(given):
            assert max(iou(mask, other) for other in source) > 0.999


def test_masks_stay_where_the_small_member_had_their_like(client, session):
    small, auto = (ask(client, session, mode).results for mode in ("small", "auto"))
    for first, given in zip(small, auto, strict=True):
        if not given.route.escalated:
            continue
        before, after = masks_of(first), masks_of(given)
        kept = sum(iou(before[i], after[i]) for i in range(3))
        for order in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            assert kept >= sum(iou(before[i], after[order[i]]) for i in range(3)) - 1e-9


@pytest.mark.parametrize(
    ("route", "reason"),
    [({"min_gain": 1.0}, "gain_below_threshold"), ({"max_cost": 0.001}, "max_cost")],
)
def test_a_request_may_keep_to_the_small_member(client, session, route, reason):
    results = ask(client, session, route=route).results
    assert not any(result.route.escalated for result in results)
    assert reason in {result.route.reason for result in results}


def test_who_asks_for_no_heads_hears_of_none_and_is_escalated_all_the_same(client, session):
    entropy = UncertaintyRequest(methods=("entropy",))
    results = ask(client, session, uncertainty=entropy).results
    assert any(result.route.escalated for result in results)
    for result in results:
        assert result.advice is None
        assert all(mask.uncertainty.expected_iou is None for mask in result.masks)


def test_bench_route_tells_who_answered_and_writes_it(server, tmp_path, capsys):
    told = main(
        ["bench", "route", "--url", server.url, "--capacity", "8", "--seconds", "1", "--rounds",
         "1", "--scenes", "2", "--size", "96", "--think", "0.2", "--max-lag-ms", "60000", "--out",
         str(tmp_path)]
    )  # fmt: skip
    assert told == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["capacity_per_s"], report["is_measured"]) == (8, False)
    found = {(each["load"], each["mode"]): each for each in report["delivered"]}
    for (load, mode), each in found.items():
        assert each["offered"] == each["answered"] > 0
        assert sum(each["reasons"].values()) == each["answered"]
        assert each["iou"]["clicks"] == each["answered"]
        assert 0 < each["iou"]["value"] < 1
        assert each["spent_ms"] > 0
        assert set(each["reasons"]) == {"requested"} or mode == "auto"
        twin = found[load, "auto"]
        assert each["offered"] == twin["offered"]
    for added in report["added"]:
        pairs = added["stayed"]["count"] + added["larger"]["count"]
        assert pairs == found[added["load"], "auto"]["answered"]
    assert "what mode auto adds" in capsys.readouterr().out
    with Image.open(tmp_path / "route.png") as picture:
        assert picture.width > 1000


def test_bench_route_times_a_click_that_stays(server, capsys):
    words = ["bench", "route", "--url", server.url, "--grpc", server.address]
    assert main([*words, "--overhead", "2", "--size", "96"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-4:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("REST", "all"), ("REST", "entropy"), ("gRPC", "all"), ("gRPC", "entropy"),
    ]  # fmt: skip
