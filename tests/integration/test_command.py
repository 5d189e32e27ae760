"""The commands of the README, as processes, with the models that ship."""

import json
import os
import shlex
import socket
import subprocess
from pathlib import Path

import httpx
import numpy as np
import pytest
from integration.conftest import COMMAND, PATIENCE_S, ROOT, run_suresam
from PIL import Image
from pycocotools import mask as coco

from suresam import Segmenter
from suresam.cli import main
from suresam.client import Client, GrpcClient
from suresam.domain import Point, Prompt, RouteRequest
from suresam.masks.rle import decode_rle

COFFEE = ROOT / "docs" / "coffee.jpg"
CUP = (280, 160)


def test_the_greeting_is_a_curl_line_that_works(server):
    line = next(line for line in server.greeting.splitlines() if "curl" in line)
    answer = subprocess.run(
        shlex.split(line), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    body = json.loads(answer.stdout)
    assert len(body["results"][0]["masks"]) == 3


@pytest.mark.parametrize("mode", ["small", "large"])
def test_masks_decode_to_the_photographs_size_and_hold_the_click(server, mode):
    request = {
        "prompts": [{"points": [CUP], "labels": [1]}],
        "route": {"mode": mode},
    }
    answer = httpx.post(
        f"{server.url}/v1/segment",
        files={"image": COFFEE.read_bytes()},
        data={"request": json.dumps(request)},
        timeout=60,
    )
    assert answer.status_code == 200
    result = answer.json()["results"][0]
    assert result["route"]["model"] == f"demo-{mode}"
    masks = result["masks"]
    assert len(masks) == 3
    for mask in masks:
        assert coco.decode(mask["rle"]).shape == (400, 600)
        assert coco.area(mask["rle"]) == mask["area"]
    best = coco.decode(masks[result["best"]]["rle"])
    assert best[CUP[1], CUP[0]] == 1


def test_rest_grpc_and_python_give_the_same_masks(server):
    prompt = Prompt(points=(Point(*CUP), Point(40, 40)), labels=(1, 0))
    with Client(server.url) as rest, GrpcClient(server.address) as grpc:
        by_rest = rest.segment(COFFEE, prompt).results[0]
        by_grpc = grpc.segment(COFFEE, prompt).results[0]
    in_python = Segmenter("demo").segment(COFFEE, points=prompt.points, labels=prompt.labels)
    for i, (one, other) in enumerate(zip(by_rest.masks, by_grpc.masks, strict=True)):
        assert one.rle.counts == other.rle.counts
        assert one.predicted_iou == pytest.approx(other.predicted_iou, abs=1e-6)
        np.testing.assert_array_equal(decode_rle(one.rle), in_python.masks[i])
        assert one.predicted_iou == pytest.approx(in_python.predicted_iou[i], abs=1e-5)
        assert one.uncertainty.entropy == pytest.approx(in_python.entropy[i], abs=1e-5)


def test_segmenter_asks_an_embedded_image_again(tmp_path):
    segmenter = Segmenter("demo", "large")
    photo = segmenter.embed(Image.open(COFFEE))
    first = segmenter.segment(photo, points=[CUP])
    assert first.masks.shape == (3, 400, 600)
    refined = segmenter.segment(
        photo,
        points=[CUP],
        mask_input=first.low_res_logits[first.best],
        multimask=False,
    )
    assert refined.masks.shape == (1, 400, 600)
    boxed = segmenter.segment(np.asarray(Image.open(COFFEE)), box=(150, 60, 480, 330))
    assert boxed.masks[boxed.best].any()


def test_models_tells_the_bundled_family(server):
    info = httpx.get(f"{server.url}/v1/models").json()
    assert info["family"] == "demo"
    assert [member["name"] for member in info["members"]] == ["demo-small", "demo-large"]
    for member in info["members"]:
        weights = ROOT / "models" / f"{member['name']}.safetensors"
        manifest = json.loads(weights.with_suffix(".json").read_text())
        assert member["sha256"] == manifest["sha256"]
        assert weights.stat().st_size <= 16 * 2**20


def test_segment_in_process_and_through_a_server_agree(server, tmp_path):
    point = f"{CUP[0]},{CUP[1]}"
    picture = tmp_path / "overlay.png"
    local = run_suresam("segment", str(COFFEE), "--point", point, "--out", str(picture), "--json")
    assert local.returncode == 0, local.stderr
    with Image.open(picture) as overlay:
        assert overlay.size == (600, 400)
    bodies = [json.loads(local.stdout)]
    for address in (server.url, f"grpc://{server.address}"):
        remote = run_suresam(
            "segment", str(COFFEE), "--point", point, "--json", "--server", address
        )
        assert remote.returncode == 0, remote.stderr
        bodies.append(json.loads(remote.stdout))
    counts = [[m["rle"]["counts"] for m in body["results"][0]["masks"]] for body in bodies]
    assert counts[0] == counts[1] == counts[2]


def test_a_refused_request_is_one_line_and_exit_1(server):
    told = run_suresam("segment", str(COFFEE), "--point", "9999,1", "--server", server.url)
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert "point x=9999 lies outside the image (width 600 px)" in told.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "nothing"], "nothing"),
        (["--models", "sam2.1"], "suresam models pull sam2.1_hiera_tiny"),
    ],
)
def test_models_that_are_not_here_are_one_line_and_exit_2(options, message):
    told = run_suresam("serve", *options)
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert message in told.stderr


def test_a_port_in_use_is_one_line_and_exit_2():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for option in ("--http-port", "--grpc-port"):
            other = "--grpc-port" if option == "--http-port" else "--http-port"
            told = run_suresam("serve", option, port, other, "0")
            assert told.returncode == 2
            last = told.stderr.strip().splitlines()[-1]
            name = option.removeprefix("--").replace("-", "_")
            assert last.startswith(f"suresam: {name}={port}: cannot listen on 127.0.0.1:{port}: ")
            assert last.endswith("Address already in use")
            assert "add_port.cc" not in told.stderr  # gRPC's own words


def run_smoke(**environment):
    return subprocess.run(
        [str(ROOT / "docker" / "smoke.sh")],
        env={**os.environ, "GRAFANA_PORT": "1", "PROMETHEUS_PORT": "1", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def test_the_smoke_script_shows_masks_and_which_dashboards_do_not_run(server):
    told = run_smoke(URL=server.url)
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("mask: area") == 3
    assert "Grafana: none answers at http://127.0.0.1:1" in told.stdout


def test_the_smoke_script_says_why_a_service_is_not_ready(server, tmp_path):
    nowhere = run_smoke(URL="http://127.0.0.1:1", TRIES="1")
    assert nowhere.returncode == 1
    assert "http://127.0.0.1:1 is not ready: curl: (7)" in nowhere.stderr
    https = server.url.replace("http:", "https:")
    untrusted = run_smoke(URL=https, TRIES="1", CA=str(tmp_path / "no.pem"))
    assert "no.pem" in untrusted.stderr


@pytest.mark.parametrize("name", ["stream.py", "interact.py", "progressive.py"])
def test_the_readmes_scripts_run(server, tmp_path, name):
    readme = (ROOT / "README.md").read_text()
    script = readme.split(f"<!-- {name} -->\n```python\n")[1].split("```")[0]
    assert len([line for line in script.splitlines() if line.strip()]) <= 15
    script = script.replace("127.0.0.1:50051", server.address)
    script = script.replace("http://127.0.0.1:8080", server.url)
    path = Path(tmp_path / name)
    path.write_text(script)
    told = subprocess.run(
        [COMMAND[0], str(path)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip()


def test_a_second_member_is_chosen_by_its_name(server):
    with Client(server.url) as client:
        for mode in ("large", "demo-large"):
            prompt = Prompt(points=(Point(*CUP),))
            answer = client.segment(COFFEE, prompt, route=RouteRequest(mode=mode))
            assert answer.results[0].route.model == "demo-large"


def test_small_answers_all_where_the_operator_says_nothing_else(server):
    """Whatever a larger member would gain."""
    places = [Prompt(points=(Point(x, y),)) for x in (60, 300, 540) for y in (60, 200, 340)]
    with Client(server.url) as client:
        results = client.segment(COFFEE, places).results
    assert {result.route.model for result in results} == {"demo-small"}
    assert {result.route.reason for result in results} == {"no_gain_estimate"}
    assert np.isfinite([result.masks[0].area for result in results]).all()


def test_a_server_that_routes_nothing_has_no_routing_to_measure(server, capsys):
    assert main(["bench", "route", "--url", server.url, "--scenes", "1", "--size", "96"]) == 2
    assert "start it with --route auto" in capsys.readouterr().err
