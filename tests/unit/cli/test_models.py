import argparse
import hashlib
import json
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from heads import random_heads
from PIL import Image
from safetensors.torch import save_file

from suresam.cli.models import add_parser
from suresam.errors import CheckpointError, ConfigurationError
from suresam.segmentation.architecture import Architecture
from suresam.segmentation.manifests import load_manifest
from suresam.uncertainty.heads import save_heads

ARCHITECTURE = {
    "input_size": 128,
    "embed_dim": 8,
    "stages": [1, 1, 2, 1],
    "global_att_blocks": [3],
    "window_spec": [8, 4, 4, 4],
    "d_model": 32,
    "decoder_num_heads": 1,
    "decoder_mlp_dim": 32,
    "iou_head_hidden_dim": 32,
}


def run(*words: str) -> int:
    parser = argparse.ArgumentParser("suresam")
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["models", *words])
    code: int = args.run(args)
    return code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with the model `mine`, its weights and the family `own`."""
    save_file(
        Architecture.from_dict(ARCHITECTURE).build().state_dict(), tmp_path / "mine.safetensors"
    )
    manifest = {
        "name": "mine",
        "source": "a test",
        "licence": "MIT",
        "architecture": ARCHITECTURE,
        "weights": "mine.safetensors",
        "url": "http://nowhere.invalid/mine.safetensors",
        "sha256": hashlib.sha256((tmp_path / "mine.safetensors").read_bytes()).hexdigest(),
    }
    (tmp_path / "mine.json").write_text(json.dumps(manifest))
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "own.json").write_text('{"name": "own", "members": ["mine"]}')
    return tmp_path


def test_list_shows_every_model_with_its_family_and_role(capsys):
    assert run("list") == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["NAME", "FAMILY", "ROLE", "SIZE", "STATE", "LICENCE", "SHA256"]
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert len(rows) == 10
    assert rows["sam2.1_hiera_large"][:4] == ["sam2.1", "large", "898.1", "MB"]
    assert rows["sam2.1_hiera_large"][-2:] == ["Apache-2.0", "2647878d5dfa"]
    assert rows["sam2.1_hiera_small"][:2] == ["-", "-"]
    assert rows["demo-small"][:2] == ["demo", "small"]


def test_list_as_json_says_where_a_model_lies(folder, capsys):
    assert run("list", "--json", "--models-dir", str(folder)) == 0
    models = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["models"]}
    mine = models["mine"]
    assert mine["families"] == [{"name": "own", "roles": ["small", "large"]}]
    assert mine["state"] == "present"
    assert mine["path"] == str(folder / "mine.safetensors")
    assert mine["size_bytes"] == (folder / "mine.safetensors").stat().st_size
    assert models["sam2_hiera_tiny"]["sha256"] is None


def test_pull_of_what_is_there_names_the_file(folder, capsys):
    assert run("pull", "own", "--models-dir", str(folder)) == 0
    assert capsys.readouterr().out == f"mine: {folder / 'mine.safetensors'}\n"


def test_pull_fetches_from_a_mirror(folder, tmp_path_factory, capsys, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = tmp_path_factory.mktemp("served")
    (folder / "mine.safetensors").rename(served / "mine.safetensors")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served))) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        mirror = f"http://127.0.0.1:{server.server_port}"
        code = run("pull", "mine", "--mirror", mirror, "--models-dir", str(folder))
        server.shutdown()
        thread.join()

    assert code == 0
    assert run("verify", "mine", "--models-dir", str(folder)) == 0
    assert capsys.readouterr().out.endswith("mine: ok\n")


def test_failed_pull_says_why_on_one_line_and_exits_1(folder, capsys, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (folder / "mine.safetensors").unlink()
    words = ("pull", "mine", "--mirror", "http://127.0.0.1:1", "--models-dir", str(folder))
    assert run(*words) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_pull_makes_the_users_folder(tmp_path):
    with pytest.raises(ConfigurationError, match="no model or family 'nosuch'"):
        run("pull", "nosuch", "--models-dir", str(tmp_path / "new"))
    assert (tmp_path / "new").is_dir()


def test_users_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot make"):
        run("pull", "sam2.1", "--models-dir", str(tmp_path / "file"))


def test_verify_checks_what_is_installed(folder, capsys):
    assert run("verify", "--models-dir", str(folder)) == 0
    assert "mine: ok" in capsys.readouterr().out.splitlines()


def test_verify_tells_damaged_weights_and_exits_1(folder, capsys):
    (folder / "mine.safetensors").write_bytes(b"damaged")
    assert run("verify", "mine", "--models-dir", str(folder)) == 1
    assert capsys.readouterr().out.startswith("mine: FAILED: ")


def test_verify_of_a_model_that_is_not_there_exits_1(folder, capsys):
    (folder / "mine.safetensors").unlink()
    assert run("verify", "own", "--models-dir", str(folder)) == 1
    assert "suresam models pull mine" in capsys.readouterr().out


def test_verify_run_prints_the_scores_and_draws_the_masks(folder, tmp_path, capsys):
    out = tmp_path / "pictures"
    words = ("verify", "mine", "--run", "--models-dir", str(folder), "--out", str(out))
    assert run(*words) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["mine:", "ok"]
    assert lines[1] == ["mask", "predicted", "IoU", "stability", "entropy", "area"]
    assert sum(line[0] == "*" for line in lines[2:5]) == 1
    assert "no uncertainty heads" in " ".join(lines[5])
    with Image.open(out / "mine.png") as picture:
        assert picture.size == (600, 400)


def test_verify_run_shows_every_head_of_every_mask(folder, tmp_path, capsys):
    manifest = json.loads((folder / "mine.json").read_text())
    (folder / "mine.json").write_text(json.dumps(manifest | {"heads": "own"}))
    heads = random_heads(ARCHITECTURE["d_model"], models={"mine": "iou_mine"})
    save_heads(heads, folder / "own.safetensors")
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 32), (90, 20, 20)).save(photo)
    words = ("verify", "mine", "--run", "--models-dir", str(folder), "--image", str(photo))
    assert run(*words, "--out", str(tmp_path)) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    told = {line[0]: line[1:] for line in lines[6:-1]}
    spoken = [name for name in heads.info.names if name != "model_gap"]  # nothing is larger
    assert list(told) == [*spoken, "prompt_gap_derived", "task_gap_derived"]
    assert all(len(values) == 3 for values in told.values())
    assert all(value[0] in "+-" for value in told["task_gap"])


def test_verify_tells_damaged_heads_and_goes_on(folder, tmp_path, capsys):
    manifest = json.loads((folder / "mine.json").read_text())
    (folder / "mine.json").write_text(json.dumps(manifest | {"heads": "own"}))
    (folder / "own.safetensors").write_bytes(b"damaged")
    words = ("--models-dir", str(folder), "--run", "--out", str(tmp_path))
    assert run("verify", "mine", "demo-small", *words) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("mine: FAILED: ") and "own.safetensors" in line for line in lines)
    assert "demo-small: ok" in lines


@pytest.mark.parametrize("option", ["--image", "--out"])
def test_verify_run_tells_which_file_it_cannot_use(folder, option):
    words = ("verify", "mine", "--run", "--models-dir", str(folder), option)
    with pytest.raises(ConfigurationError, match=r"mine\.json"):
        run(*words, str(folder / "mine.json" / "x"))


def test_verify_run_refuses_a_folder_that_it_cannot_write_before_it_loads_a_model(folder, capsys):
    out = str(folder / "mine.json")
    with pytest.raises(ConfigurationError, match=r"cannot write into .*mine\.json: File exists"):
        run("verify", "mine", "--run", "--models-dir", str(folder), "--out", out)
    assert capsys.readouterr().out == ""


def test_register_writes_hash_size_and_provenance(folder, capsys):
    weights = folder / "mine.safetensors"
    save_file(Architecture.from_dict(ARCHITECTURE).build().state_dict(), weights)
    (folder / "report.txt").write_text('{"seed": 7}')
    words = ("mine", "--report", str(folder / "report.txt"), "--models-dir", str(folder))
    assert run("verify", "mine", "--models-dir", str(folder)) == 1
    assert run("register", *words) == 0
    assert run("verify", "mine", "--models-dir", str(folder)) == 0
    manifest = load_manifest("mine", folder)
    assert manifest.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert manifest.size_bytes == weights.stat().st_size
    assert manifest.provenance == {"seed": 7}


def test_register_refuses_weights_that_do_not_fit(folder):
    before = (folder / "mine.json").read_bytes()
    (folder / "mine.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="cannot be read"):
        run("register", "mine", "--models-dir", str(folder))
    assert (folder / "mine.json").read_bytes() == before


@pytest.mark.parametrize("content", [None, "{", "[1]"])
def test_register_refuses_a_report_that_is_none(folder, content):
    report = folder / "report.txt"
    if content is not None:
        report.write_text(content)
    with pytest.raises(ConfigurationError, match=str(report)):
        run("register", "mine", "--report", str(report), "--models-dir", str(folder))


def test_help_does_not_wait_for_torch():
    code = "import sys, suresam.cli.models; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
