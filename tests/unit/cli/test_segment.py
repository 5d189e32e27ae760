"""`suresam segment`: what a command line asks for, what it prints, how it ends."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import suresam.app
import suresam.client
from suresam.cli import main
from suresam.client import Tls
from suresam.domain import (
    Advice,
    Box,
    ImageSize,
    Mask,
    Point,
    Result,
    ResultError,
    Route,
    SegmentResponse,
    Timings,
    Uncertainty,
)
from suresam.errors import ConfigurationError, InvalidPrompt
from suresam.masks.rle import encode_rle

ROUTE = Route("demo-small", "small", False, "gain_below_threshold", None, {})


def response_of(*results, warnings=()):
    return SegmentResponse(ImageSize(40, 30), None, results, warnings, Timings())


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (40, 30)).save(path)
    return str(path)


@pytest.fixture
def answer():
    pixels = np.zeros((30, 40), bool)
    pixels[:15, :20] = True
    rle = encode_rle(pixels)
    masks = (
        Mask(300, (0, 0, 20, 15), 0.5, 0.25, 1, Uncertainty(entropy=0.125), rle=rle),
        Mask(300, (0, 0, 20, 15), 0.875, 1.0, 2, Uncertainty(), rle=rle),
    )
    advice = Advice("add_point", "the edge is unsure")
    return response_of(Result(None, masks, 1, ROUTE, advice), warnings=("first frame of 3 used",))


@pytest.fixture
def in_process(monkeypatch, answer):
    """Stands in for the models; remembers settings and request, answers what it holds."""

    class InProcess:
        reply = answer
        settings = request = None

        def __call__(self, settings, request):
            self.settings, self.request = settings, request
            if isinstance(self.reply, Exception):
                raise self.reply
            return self.reply

    stand_in = InProcess()
    monkeypatch.setattr(suresam.app, "segment_in_process", stand_in)
    return stand_in


def test_points_become_one_prompt_with_labels(in_process, photo):
    assert main(["segment", photo, "--point", "3,4.5", "--point", "5,6,0"]) == 0
    [prompt] = in_process.request.prompts
    assert prompt.points == (Point(3, 4.5), Point(5, 6))
    assert prompt.labels == (1, 0)
    assert in_process.request.options.multimask
    assert in_process.settings == {}


def test_box_route_single_and_settings_arrive(in_process, photo):
    arguments = ["--box", "1,2,3,4", "--route", "large", "--single"]
    settings = ["--models", "sam2.1", "--device", "cpu", "--calibration", "mine"]
    assert main(["segment", photo, *arguments, *settings, "--models-dir", "here"]) == 0
    request = in_process.request
    assert request.prompts[0].box == Box(1, 2, 3, 4)
    assert request.options.route.mode == "large"
    assert not request.options.multimask
    assert in_process.settings == {
        "models": "sam2.1", "models_dir": "here", "calibration": "mine", "device": "cpu"
    }  # fmt: skip


def test_the_table_has_a_line_for_each_mask_and_marks_the_best(in_process, photo, capsys):
    main(["segment", photo, "--point", "3,4"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["mask", "predicted", "IoU", "stability", "entropy", "area", "share"]
    assert lines[1] == ["0", "0.500", "0.250", "0.125", "300", "px", "25.0%"]
    assert lines[2] == ["*", "1", "0.875", "1.000", "-", "300", "px", "25.0%"]
    rest = [" ".join(line) for line in lines[3:]]
    assert rest == [
        "* best; model demo-small (gain_below_threshold)",
        "advice: add_point (the edge is unsure)",
        "warning: first frame of 3 used",
    ]


def test_the_table_shows_the_gaps_where_heads_spoke(in_process, photo, answer, capsys):
    [result] = answer.results
    first = replace(
        result.masks[0], uncertainty=Uncertainty(prompt_gap=0.125, task_gap=-0.0625, heads={"a": 1})
    )
    in_process.reply = response_of(replace(result, masks=(first, result.masks[1])))
    main(["segment", photo, "--point", "3,4"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][-6:] == ["model", "gap", "prompt", "gap", "task", "gap"]
    assert lines[1][-3:] == ["-", "+0.125", "-0.062"]
    assert lines[2][-3:] == ["-", "-", "-"]


def test_json_is_the_rest_answer(in_process, photo, capsys):
    main(["segment", photo, "--point", "3,4", "--json"])
    body = json.loads(capsys.readouterr().out)
    assert body["image"] == {"width": 40, "height": 30}
    assert body["results"][0]["best"] == 1


def test_out_draws_a_picture(in_process, photo, tmp_path, capsys):
    path = tmp_path / "overlay.png"
    assert main(["segment", photo, "--point", "3,4", "--out", str(path)]) == 0
    assert f"wrote {path}" in capsys.readouterr().err
    with Image.open(path) as picture:
        assert picture.size == (640, 480)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/overlay.png", "No such file or directory"),
        ("photo.png/overlay.png", "Not a directory"),
        ("folder.png", "Is a directory"),
        ("overlay.unknown", ".unknown is no format of pictures"),
        ("overlay", "no ending is no format of pictures"),
    ],
)
def test_a_picture_that_cannot_be_written_is_wrong_use_before_any_work(
    in_process, photo, tmp_path, name, reason, capsys
):
    (tmp_path / "folder.png").mkdir()
    assert main(["segment", photo, "--point", "3,4", "--out", str(tmp_path / name)]) == 2
    assert f"cannot write {tmp_path / name}: {reason}" in capsys.readouterr().err
    assert in_process.request is None


def test_a_refused_request_leaves_the_picture_that_is_there(in_process, photo, tmp_path):
    path = tmp_path / "overlay.png"
    path.write_bytes(b"kept")
    in_process.reply = InvalidPrompt("no")
    assert main(["segment", photo, "--point", "3,4", "--out", str(path)]) == 1
    assert path.read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--point", "3"], "'3' is not a point; write X,Y or X,Y,LABEL as in 320,240"),
        (["--point", "3,4,5,6"], "'3,4,5,6' is not a point"),
        (["--point", "a,b"], "'a,b' is not a point"),
        (["--point", "3,4,2"], "label '2' of '3,4,2'"),
        (["--box", "1,2,3"], "'1,2,3' is not a box; write X1,Y1,X2,Y2 as in 10,20,300,400"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
    ],
)
def test_a_malformed_argument_ends_with_2_and_an_example(photo, arguments, message, capsys):
    assert main(["segment", photo, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to segment: give --point or --box"),
        (["--point", "1,2", "--server", "host:8080"], "is not http(s)://HOST:PORT or grpc(s)://"),
        (["--point", "1,2", "--server", "grpc://"], "is not http(s)://HOST:PORT or grpc(s)://"),
        (
            ["--point", "1,2", "--server", "http://h", "--device", "cpu"],
            "--models and --device choose what runs here",
        ),
        (["--point", "1,2", "--api-key-file", "key"], "--api-key-file is for a --server"),
        (["--point", "1,2", "--ca-file", "ca"], "--ca-file is for a --server"),
        (
            ["--point", "1,2", "--server", "http://h", "--ca-file", "ca"],
            "--ca-file is for https:// and grpcs://, not http://",
        ),
    ],
)
def test_wrong_use_ends_with_2_and_one_line(photo, arguments, message, capsys):
    assert main(["segment", photo, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_image_ends_with_2(capsys):
    assert main(["segment", "missing.jpg", "--point", "1,2"]) == 2
    assert "cannot read missing.jpg: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reply", "status", "message"),
    [
        (InvalidPrompt("point x=700"), 1, "invalid_prompt: point x=700"),
        (ConfigurationError("no weights"), 2, "no weights"),
        (
            response_of(Result(None, (), None, ROUTE, error=ResultError("out_of_memory", "why"))),
            1,
            "out_of_memory: why",
        ),
    ],
)
def test_a_failure_ends_with_one_line(in_process, photo, capsys, reply, status, message):
    in_process.reply = reply
    assert main(["segment", photo, "--point", "1,2"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"suresam: {message}\n"


@pytest.mark.parametrize(
    ("server", "kind", "where", "tls"),
    [
        ("http://h:8080", "Client", "http://h:8080", None),
        ("https://h/path", "Client", "https://h/path", None),
        ("grpc://h:50051", "GrpcClient", "h:50051", None),
        ("grpcs://h:50051", "GrpcClient", "h:50051", Tls()),
    ],
)
def test_a_server_s_address_chooses_the_client(
    monkeypatch, photo, answer, server, kind, where, tls, tmp_path
):
    seen = []

    class StandIn:
        def __init__(self, address, *, api_key, tls):
            seen.append((address, api_key, tls))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            seen.append("closed")

        def segment(self, image, prompts, **keywords):
            seen.append(len(prompts))
            return answer

    monkeypatch.setattr(suresam.client, kind, StandIn)
    assert main(["segment", photo, "--point", "1,2", "--server", server]) == 0
    assert seen == [(where, None, tls), 1, "closed"]
    key = tmp_path / "key"
    key.write_text("sk_suresam_x\n")
    command = ["segment", photo, "--point", "1,2", "--server", server, "--api-key-file", str(key)]
    assert main(command) == 0
    assert seen[3] == (where, "sk_suresam_x", tls)


@pytest.mark.parametrize(("scheme", "kind"), [("https", "Client"), ("grpcs", "GrpcClient")])
def test_authorities_of_ones_own_are_trusted(monkeypatch, photo, scheme, kind):
    class Seen(Exception):
        pass

    def stand_in(address, *, api_key, tls):
        raise Seen(tls)

    monkeypatch.setattr(suresam.client, kind, stand_in)
    command = ["segment", photo, "--point", "1,2", "--server", f"{scheme}://h:1"]
    with pytest.raises(Seen) as caught:
        main([*command, "--ca-file", "ca.pem"])
    assert caught.value.args == (Tls(Path("ca.pem")),)


@pytest.mark.parametrize("text", ["", "\n", "two words", "x" * 2000])
def test_a_file_that_holds_no_key_ends_with_2_and_is_not_repeated(photo, tmp_path, capsys, text):
    key = tmp_path / "key"
    key.write_text(text)
    command = ["segment", photo, "--point", "1,2", "--server", "http://h"]
    assert main([*command, "--api-key-file", str(key)]) == 2
    assert capsys.readouterr().err == f"suresam: {key} must hold an API key and nothing else\n"
