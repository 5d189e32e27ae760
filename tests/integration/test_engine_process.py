"""The real command with its models in processes of their own."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from collector import collecting
from device import wait_for

from suresam import Segmenter
from suresam.benchmarks.server_process import ServerProcess
from suresam.client import Client, GrpcClient
from suresam.domain import Point, Prompt, RouteRequest
from suresam.errors import CapacityError
from suresam.masks.rle import decode_rle

SMALL = RouteRequest(mode="small")
SOON = {**os.environ, "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_SERVICE_NAME": "clinic"}
CLICK = Prompt(points=(Point(280, 160),))
PHOTO = Path(__file__).parents[2] / "docs" / "coffee.jpg"


def children(pid: int) -> list[int]:
    """All processes that come from one."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *children(child)]
    return found


def engines(pid: int) -> list[int]:
    """The engine processes: those that came from the server process which forks them."""
    direct = {int(c) for c in children(pid) if parent(int(c)) == pid}
    return [child for child in children(pid) if child not in direct]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def server(collector):
    options = ["--device", "cpu,cpu", "--cache-bytes", "100000000"]
    with ServerProcess(
        [*options, "--otlp-endpoint", collector.endpoint], environment=SOON
    ) as server:
        yield server
        left = children(server.pid)
        assert left
        assert server.stop() == 0
        wait_for(lambda: not remaining(left))  # a stopped server leaves no process


def test_both_engines_answer_as_the_model_alone_does(server):
    """Masks are the same wherever they are made, and a session outlives its engine."""
    photo = PHOTO.read_bytes()
    expected = Segmenter("demo").segment(PHOTO, points=CLICK.points).masks
    with Client(server.url, timeout_s=60) as client:
        info = client.models()
        assert [member.name for member in info.members] == ["demo-small", "demo-large"]
        session = client.create_session([photo]).session_id
        first = client.segment_session(session, CLICK, route=SMALL).results[0]
        assert differing_share(first, expected) < 1e-4
        assert len(engines(server.pid)) == 2
        for engine in engines(server.pid):
            os.kill(engine, signal.SIGKILL)
        again = retried(client, session)
        assert differing_share(again, expected) < 1e-4


def differing_share(result, expected):
    """Of all pixels of all masks. Rounding depends on where in memory an embedding lies."""
    return (np.stack([decode_rle(mask.rle) for mask in result.masks]) != expected).mean()


def retried(client: Client, session: str):
    deadline = time.monotonic() + 60
    while True:
        try:
            return client.segment_session(session, CLICK, route=SMALL).results[0]
        except CapacityError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_what_an_engine_does_is_in_the_trace_of_the_request(server, collector):
    photo = PHOTO.read_bytes() + b"another"  # which no engine has seen
    with Client(server.url, timeout_s=60) as rest, GrpcClient(server.address) as grpc:
        rest.segment(photo, CLICK, route=SMALL)
        grpc.segment(photo, CLICK, route=SMALL)
    names = ("POST /v1/segment", "suresam.v1.Segmentation/UploadAndSegment")
    collector.wait_for(*names, "batch encode", "batch decode")
    made, cached = (collector.only(name) for name in names)
    assert made.resource["service.name"] == "clinic"
    stages = ["open_image", "decode_image", "queue", "encode", "queue", "decode"]
    parts = ["receive", ("engine", stages), "route", "encode_masks", "render"]
    assert collector.tree(made) == parts
    assert collector.tree(cached)[1] == ("engine", ["open_image", "queue", "decode"])
    for root in (made, cached):
        [engine] = [span for span in collector.under(root) if span.name == "engine"]
        [decode] = [span for span in collector.under(engine) if span.name == "decode"]
        [batch] = [span for span in collector.spans if [span.place] == decode.links]
        assert (batch.name, batch.links) == ("batch decode", [engine.place])
        assert batch.attributes["suresam.device"] == "cpu"


def test_a_killed_server_leaves_no_engine():
    server = ServerProcess(["--engine", "process", "--models", "demo-small"])
    left = children(server.pid)
    assert len(engines(server.pid)) == 1
    server.stop(signal.SIGKILL)
    wait_for(lambda: not remaining(left))


def remaining(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]
