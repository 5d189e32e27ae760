"""An installed wheel, far from the checkout, serves the bundled family."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from integration.conftest import PATIENCE_S, ROOT

SCRIPT = """
import sys
from pathlib import Path
import suresam
from suresam import Segmenter
from suresam.segmentation.manifests import load_family

assert Path(suresam.__file__).is_relative_to(sys.argv[1]), suresam.__file__
names = [member.name for member in load_family("demo").members]
answer = Segmenter("demo").segment(sys.argv[2], points=[(280, 160)])
print(names, answer.masks.shape)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, as pip would lay it down."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--disable-pip-version-check"),
            *("--wheel-dir", str(folder), str(ROOT)),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_manifests_weights_and_no_downloads(unpacked: Path):
    bundled = unpacked / "suresam" / "_models"
    names = {path.name for path in bundled.iterdir()}
    assert {"demo-small.json", "demo-small.safetensors", "demo-large.safetensors"} <= names
    assert "downloads" not in names
    assert (unpacked / "suresam" / "training" / "configs").is_dir()
    assert [path.name for path in (unpacked / "suresam" / "_samples").iterdir()] == ["coffee.jpg"]
    assert not (unpacked / "service").exists()


def test_the_unpacked_wheel_segments(unpacked: Path, tmp_path: Path):
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(unpacked), str(ROOT / "docs" / "coffee.jpg")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(unpacked), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "['demo-small', 'demo-large'] (3, 400, 600)"
