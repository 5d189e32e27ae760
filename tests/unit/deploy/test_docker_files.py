"""Dockerfile, locks and compose agree with the code and each other, without an engine."""

import argparse
import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import ROOT, program
from supply.pins import BUILD_LOCK, BY_VERSION, CONSTRAINTS, CUDA_LOCK, SERVICE_LOCK, pinned

from suresam.api.rest.routes import probes
from suresam.app import running
from suresam.cli import serve
from suresam.engine import worker
from suresam.setting_conflicts import is_loopback
from suresam.settings import Settings, read_settings
from suresam.version import __version__

DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "docker/compose.yaml"
EXAMPLE = ROOT / "docker/.env.example"
PROMETHEUS = ROOT / "docker/prometheus/prometheus.yml"
DEFAULTS = Settings.model_construct()  # whatever the environment says
PORTS = {"http": DEFAULTS.http_port, "grpc": DEFAULTS.grpc_port}
SERVICES = {"cpu": "suresam", "gpu": "suresam-gpu"}

Instruction = tuple[str, str]


@cache
def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@cache
def stages() -> dict[str, list[Instruction]]:
    """The Dockerfile's instructions by stage; "" is what stands before, "final" the image."""
    found: dict[str, list[Instruction]] = {"": []}
    kept = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    for line in filter(None, "\n".join(kept).replace("\\\n", " ").splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found[rest.partition(" AS ")[2] or "final"] = []
        found[list(found)[-1]].append((name, " ".join(rest.split())))
    return found


def values(stage: str, instruction: str) -> list[str]:
    return [rest for name, rest in stages()[stage] if name == instruction]


def compose_service(profile: str = "cpu") -> Any:
    return load(COMPOSE)["services"][SERVICES[profile]]


def seconds(text: str) -> float:
    assert text.endswith("s"), text
    return float(text.removesuffix("s"))


def test_hadolint_finds_nothing():
    told = subprocess.run(
        [program("hadolint"), DOCKERFILE], capture_output=True, text=True, timeout=60
    )
    assert told.stdout + told.stderr == ""


def test_the_image_installs_by_hash_and_then_torch_by_version_and_nothing_with_it():
    locked, torch, ours = (rest for rest in values("build", "RUN") if "pip install" in rest)
    assert "--require-hashes --no-deps --requirement docker/build.lock" in locked
    assert "SAM2_BUILD_CUDA=0 pip install --require-hashes --no-deps --no-build-isolation" in locked
    assert f"--no-deps --constraint constraints.txt {' '.join(BY_VERSION)} && pip check" in torch
    assert "--no-deps --no-build-isolation ." in ours
    cpu, cuda = values("base-cpu", "ENV")[0], values("base-cuda", "ENV")[0]
    assert cpu == 'TORCH_INDEX=https://download.pytorch.org/whl/cpu CUDA_LOCK=""'
    assert cuda == f'TORCH_INDEX="" CUDA_LOCK={CUDA_LOCK.relative_to(ROOT)}'


def test_locks_hold_what_the_service_needs_in_the_versions_of_constraints():
    constraints, service, build = pinned(CONSTRAINTS), pinned(SERVICE_LOCK), pinned(BUILD_LOCK)
    for name, version in {**build, **service, **pinned(CUDA_LOCK)}.items():
        assert constraints[name] == version
    project = (ROOT / "pyproject.toml").read_text()
    [listed] = re.findall(r"^dependencies = \[(.*?)^\]", project, re.M | re.S)
    needed = {name.lower() for name in re.findall(r'^  "([A-Za-z0-9-]+)', listed, re.M)}
    assert len(needed) > 20
    assert needed - set(service) == {"torch"}
    assert {"setuptools", "wheel", "hatchling"} <= set(build)
    for path in (BUILD_LOCK, SERVICE_LOCK, CUDA_LOCK):
        blocks = re.split(r"^(?=[a-z])", path.read_text(), flags=re.M)[1:]
        assert all("--hash=sha256:" in block for block in blocks)


def test_the_image_holds_no_compiler_and_no_installer():
    assert values("final", "FROM") == ["base-${VARIANT}"]
    installed = values("base-cuda", "RUN")[0]
    assert re.findall(r"install --yes --no-install-recommends ([a-z0-9 -]+?) &&", installed) == [
        "python3 python3-venv"
    ]
    assert not any("apt-get" in rest for _, rest in [*stages()["build"], *stages()["final"]])
    assert "pip uninstall --yes pip" in values("build", "RUN")[3]


def test_only_what_the_image_needs_is_sent_to_the_builder():
    copied = {word for rest in values("build", "COPY") for word in rest.split()[:-1]}
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    assert "models/downloads" in lines
    assert values("final", "COPY") == [
        "--from=build /opt/suresam /opt/suresam",
        "--from=build --chown=10001:10001 /models /models",
    ]


def test_the_image_runs_without_root_and_without_a_shell_between():
    assert values("final", "USER") == ["10001:10001"]
    assert values("final", "STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(values("final", "ENTRYPOINT")[0]) == ["suresam"]


def test_the_image_says_what_it_is():
    assert f"VERSION={__version__}" in values("final", "ARG")
    [labels] = values("final", "LABEL")
    for name in ("title", "description", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_the_image_command_is_one_that_serve_takes():
    command = json.loads(values("final", "CMD")[0])
    parser = argparse.ArgumentParser()
    serve.add_parser(parser.add_subparsers())
    options = vars(parser.parse_args(command))
    del options["run"]
    settings = read_settings(options)
    assert not is_loopback(settings.host)
    assert {"http_port", "grpc_port"}.isdisjoint(options)
    assert values("final", "EXPOSE") == [f"{PORTS['http']} {PORTS['grpc']}"]


def test_the_image_alone_says_how_its_health_is_checked():
    [check] = values("final", "HEALTHCHECK")
    assert f"'127.0.0.1', {PORTS['http']}" in check
    assert "healthcheck" not in compose_service()


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--silent", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip


def test_pin_images_writes_a_digest_behind_every_foreign_image(tmp_path):
    for name in ("Makefile", "Dockerfile", "docker/compose.yaml", "k8s/components"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    files = [p for p in tmp_path.rglob("*") if p.suffix == ".yaml" or p.name == "Dockerfile"]
    images = {
        image
        for path in files
        for image in re.findall(r"(?:_IMAGE=|_IMAGE:-|image: )([a-z/]+:[\w.-]+)", path.read_text())
        if not image.startswith("suresam")
    }
    assert len(images) == 6
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    # As `docker buildx imagetools inspect`: a digest of the name.
    docker.write_text("#!/bin/sh\nprintf 'sha256:'; printf '%s' \"$4\" | sha256sum | cut -c1-64\n")
    docker.chmod(0o755)
    for _ in range(2):  # a second time it renews them
        told = make(tmp_path, "pin-images")
        assert told.returncode == 0, told.stderr
        text = "".join(path.read_text() for path in files)
        for image in images:
            assert re.findall(rf"{re.escape(image)}(.{{7}})", text) == ["@sha256"] * text.count(
                image
            )
        assert len(re.findall(r"@sha256:[0-9a-f]{64}\b", text)) == text.count("@sha256")
    docker.write_text("#!/bin/sh\necho no such host >&2; exit 1\n")
    assert make(tmp_path, "pin-images").returncode != 0


@pytest.mark.parametrize(
    ("options", "beside"),
    [
        (["--profile", "gpu", "--profile", "traces"], {"suresam-gpu", "jaeger"}),
        (["--env-file", EXAMPLE], {"suresam"}),  # whose COMPOSE_PROFILES is cpu
    ],
)
def test_compose_takes_the_file_and_starts_one_service_of_ours(options, beside):
    command = [program("docker-compose"), "--file", COMPOSE, *options, "config", "--format", "json"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    services = json.loads(told.stdout)["services"]
    assert set(services) == {"prometheus", "grafana", *beside}
    for definition in services.values():
        assert all(port["host_ip"] == "127.0.0.1" for port in definition["ports"])
        assert definition["read_only"] is True
        assert definition["cap_drop"] == ["ALL"]
        assert definition["security_opt"] == ["no-new-privileges:true"]


def test_the_example_names_what_compose_reads_with_its_defaults():
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.M))
    read = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE.read_text()))
    assert example.pop("COMPOSE_PROFILES") == "cpu"
    assert example == {name: value for name, value in read.items() if not name.endswith("IMAGE")}


@pytest.mark.parametrize("profile", SERVICES)
def test_settings_of_compose_have_valid_values(profile, monkeypatch):
    definition = compose_service(profile)
    for name, value in definition["environment"].items():
        default = re.fullmatch(r"\$\{\w+:-(.*)\}", value)
        monkeypatch.setenv(name, default[1] if default else value)
    assert read_settings({}).device == {"cpu": "auto", "gpu": "cuda"}[profile]
    assert definition["build"]["args"] == {"VARIANT": {"cpu": "cpu", "gpu": "cuda"}[profile]}
    assert f"base-{definition['build']['args']['VARIANT']}" in stages()


def test_compose_publishes_the_default_ports():
    assert compose_service()["ports"] == [
        f"127.0.0.1:${{{name.upper()}_PORT:-{port}}}:{port}" for name, port in PORTS.items()
    ]


def test_compose_mounts_what_exists():
    compose = load(COMPOSE)
    for definition in compose["services"].values():
        for volume in definition.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (COMPOSE.parent / source).is_dir()
    models = next(rest for rest in values("final", "ENV") if "SURESAM_MODELS_DIR=" in rest)
    assert f"models:{models.split('SURESAM_MODELS_DIR=')[1]}" in compose_service()["volumes"]


def test_prometheus_scrapes_the_service_where_its_metrics_are():
    (job,) = load(PROMETHEUS)["scrape_configs"]
    assert job["metrics_path"] in {route.path for route in probes.routes}
    assert job["static_configs"] == [{"targets": [f"suresam:{PORTS['http']}"]}]
    assert compose_service("gpu")["networks"]["default"]["aliases"] == ["suresam"]


def test_a_stopping_container_has_time_to_drain():
    drained_s = DEFAULTS.drain_s + worker._STOP_S + 2 * running._GRACE_AFTER_DRAIN_S
    drained_s += running._LAST_SPANS_S
    assert seconds(compose_service()["stop_grace_period"]) > drained_s
    told_s = re.search(r"--stop-timeout (\d+)", DOCKERFILE.read_text())
    assert told_s
    assert float(told_s[1]) > drained_s
