import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_generated_code_is_what_the_protos_give(tmp_path):
    protos = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "protos").glob("*.proto"))
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", "suresam/pb=protos"]
    subprocess.run([*command, *outputs, *protos], cwd=ROOT, check=True)
    made = {p.name: p.read_bytes() for p in (tmp_path / "suresam/pb").iterdir()}
    kept = ROOT / "service/suresam/pb"
    assert len(made) == 3 * len(protos) > 0
    assert {name: (kept / name).read_bytes() for name in made} == made
