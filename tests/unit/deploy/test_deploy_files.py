"""Deployment files agree with the code and each other, as far as that shows without an engine."""

import argparse
import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from suresam.api.rest.routes import probes
from suresam.app import running
from suresam.cli import serve
from suresam.settings import Settings, is_loopback, read_settings
from suresam.version import __version__

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "docker/docker-compose.yml"
COMPOSE_GPU = ROOT / "docker/docker-compose.gpu.yml"
PROMETHEUS = ROOT / "docker/prometheus.yml"
K8S_FILES = sorted((ROOT / "k8s").rglob("*.yaml"))
YAML_FILES = [COMPOSE, COMPOSE_GPU, PROMETHEUS, *K8S_FILES]
LABELS = {"app.kubernetes.io/name": "suresam"}
DEFAULTS = Settings.model_construct()  # whatever the environment says
PORTS = {"http": DEFAULTS.http_port, "grpc": DEFAULTS.grpc_port}

Instruction = tuple[str, str]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def joined_lines(text: str) -> list[str]:
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line.strip() for line in "\n".join(kept).replace("\\\n", " ").splitlines()]


@cache
def stages() -> list[list[Instruction]]:
    """The Dockerfile's instructions, a list for each FROM and one for what is before."""
    found: list[list[Instruction]] = [[]]
    for line in filter(None, joined_lines(DOCKERFILE.read_text())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, " ".join(rest.split())))
    return found


def values(stage: int, instruction: str) -> list[str]:
    return [rest for name, rest in stages()[stage] if name == instruction]


def container() -> Any:
    pod = load(ROOT / "k8s/base/deployment.yaml")["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return only


def service() -> Any:
    return load(COMPOSE)["services"]["suresam"]


def seconds(text: str) -> float:
    assert text.endswith("s"), text
    return float(text.removesuffix("s"))


def pip_install(command: str) -> tuple[set[str], list[str]]:
    """The options of a pip command, with the environment before it, and what it installs."""
    words = shlex.split(command)
    at = words.index("install")
    environment = {word for word in words[:at] if re.fullmatch(r"[A-Z0-9_]+=\S+", word)}
    options, packages, rest = set(environment), [], iter(words[at + 1 :])
    for word in rest:
        if word == "--constraint":
            options.add(f"--constraint {next(rest)}")
        elif word.startswith("-"):
            options.add(word)
        else:
            packages.append(word)
    return options, packages


@pytest.mark.parametrize("path", YAML_FILES, ids=name_of)
def test_a_file_parses_and_opens_with_a_comment(path):
    assert isinstance(load(path), dict)
    assert path.read_text().startswith("# ")


def test_the_image_installs_what_make_installs_in_that_order():
    recipe = re.search(
        r"^define install\n(.*?)^endef", (ROOT / "Makefile").read_text(), re.M | re.S
    )
    install = re.search(r"^INSTALL = (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert recipe
    assert install
    made = [
        pip_install(line.replace("$(INSTALL)", install[1]))
        for line in joined_lines(recipe[1])
        if "$(INSTALL)" in line
    ]
    built = [pip_install(rest) for rest in values(1, "RUN") if "pip install" in rest]
    for (make_options, _), (options, _) in zip(made, built, strict=True):
        # An image is not editable, and says less quietly what it does.
        irrelevant = {"--quiet", "--editable", "--disable-pip-version-check"}
        assert options == make_options - irrelevant
        assert "--constraint constraints.txt" in options
    first, second = (packages for _, packages in built)
    assert first == [name for name in made[0][1] if name != "editables"]
    assert first[0] == "torch"
    assert second == ["."]
    assert built[1][0] >= {"SAM2_BUILD_CUDA=0", "--no-build-isolation"}


def test_only_what_the_image_needs_is_sent_to_the_builder():
    copied = {word for rest in values(1, "COPY") for word in rest.split()[:-1]}
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    assert "models/downloads" in lines
    assert values(2, "COPY") == ["--from=build /opt/suresam /opt/suresam"]


def test_the_image_builds_for_a_cpu_unless_told_otherwise():
    assert values(1, "ARG") == ["TORCH_INDEX=https://download.pytorch.org/whl/cpu"]
    assert load(COMPOSE_GPU)["services"]["suresam"]["build"]["args"] == {"TORCH_INDEX": ""}


def test_the_image_runs_without_root_and_without_a_shell_between():
    assert values(2, "USER") == ["10001:10001"]
    assert values(2, "STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(values(2, "ENTRYPOINT")[0]) == ["suresam"]
    assert "apt-get" not in DOCKERFILE.read_text()


def test_the_image_command_is_one_that_serve_takes():
    command = json.loads(values(2, "CMD")[0])
    parser = argparse.ArgumentParser()
    serve.add_parser(parser.add_subparsers())
    options = vars(parser.parse_args(command))
    del options["run"]
    settings = read_settings(options)
    assert not is_loopback(settings.host)
    assert {"http_port", "grpc_port"}.isdisjoint(options)
    assert values(2, "EXPOSE") == [f"{PORTS['http']} {PORTS['grpc']}"]


def test_both_health_checks_ask_readyz_on_the_http_port():
    options, _, test = values(2, "HEALTHCHECK")[0].partition(" CMD ")
    check = service()["healthcheck"]
    assert ["CMD", *json.loads(test)] == check["test"]
    compile(check["test"][-1], "healthcheck", "exec")
    assert f"'127.0.0.1', {PORTS['http']}" in test
    assert "'GET', '/readyz'" in test
    given = dict(word.removeprefix("--").split("=") for word in options.split())
    assert {name.replace("-", "_"): value for name, value in given.items()} == {
        name: str(value) for name, value in check.items() if name != "test"
    }


def test_named_settings_exist():
    named = {
        (name_of(path), match)
        for path in [DOCKERFILE, *YAML_FILES]
        for match in re.findall(r"SURESAM_([A-Z_]+)", path.read_text())
    }
    unknown = {pair for pair in named if pair[1].lower() not in Settings.model_fields}
    # Where the text says "a variable SURESAM_NAME".
    assert {match for _, match in unknown} <= {"NAME"}


@pytest.mark.parametrize("gpu", [False, True])
def test_given_settings_have_valid_values(gpu, monkeypatch):
    environment = dict(service()["environment"])
    deployment = ROOT / "k8s/base/deployment.yaml"
    if gpu:
        environment |= load(COMPOSE_GPU)["services"]["suresam"]["environment"]
        deployment = ROOT / "k8s/gpu/deployment.yaml"
    (pod,) = load(deployment)["spec"]["template"]["spec"]["containers"]
    variables = {item["name"]: item["value"] for item in pod["env"] if "value" in item}
    for name, value in {**environment, **variables}.items():
        default = re.fullmatch(r"\$\{\w+:-(.*)\}", value)
        monkeypatch.setenv(name, default[1] if default else value)
    assert read_settings({}).device == ("cuda" if gpu else "auto")


def test_compose_publishes_the_default_ports_on_loopback_only():
    for definition in load(COMPOSE)["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in definition["ports"])
    assert service()["ports"] == [
        f"127.0.0.1:${{{name.upper()}_PORT:-{port}}}:{port}" for name, port in PORTS.items()
    ]


def test_compose_services_are_confined():
    for definition in load(COMPOSE)["services"].values():
        assert definition["read_only"] is True
        assert definition["cap_drop"] == ["ALL"]
        assert definition["security_opt"] == ["no-new-privileges:true"]


def test_compose_mounts_what_exists():
    compose = load(COMPOSE)
    for definition in compose["services"].values():
        for volume in definition["volumes"]:
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (COMPOSE.parent / source).is_file()
    models = next(rest for rest in values(2, "ENV") if "SURESAM_MODELS_DIR=" in rest)
    assert f"models:{models.split('SURESAM_MODELS_DIR=')[1]}" in service()["volumes"]
    assert (COMPOSE.parent / service()["build"]["context"] / "Dockerfile").is_file()


def test_prometheus_scrapes_the_service_where_its_metrics_are():
    (job,) = load(PROMETHEUS)["scrape_configs"]
    assert job["metrics_path"] in {route.path for route in probes.routes}
    assert job["static_configs"] == [{"targets": [f"suresam:{PORTS['http']}"]}]


def test_both_give_a_stopping_service_time_to_drain():
    drained_s = DEFAULTS.drain_s + running._GRACE_AFTER_DRAIN_S
    assert seconds(service()["stop_grace_period"]) > drained_s
    told_s = re.search(r"--stop-timeout (\d+)", DOCKERFILE.read_text())
    assert told_s
    assert float(told_s[1]) > drained_s
    pod = load(ROOT / "k8s/base/deployment.yaml")["spec"]["template"]["spec"]
    program, sleep_s = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    assert pod["terminationGracePeriodSeconds"] > float(sleep_s) + drained_s


def test_pod_probes_are_routes_of_the_service():
    paths = {
        kind: container()[f"{kind}Probe"]["httpGet"]
        for kind in ("startup", "liveness", "readiness")
    }
    assert paths == {
        "startup": {"path": "/readyz", "port": "http"},
        "liveness": {"path": "/livez", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
    }
    assert {"/readyz", "/livez"} <= {route.path for route in probes.routes}


def test_pods_are_confined_and_their_user_is_the_image_user():
    deployment = load(ROOT / "k8s/base/deployment.yaml")["spec"]["template"]["spec"]
    user, group = map(int, values(2, "USER")[0].split(":"))
    assert deployment["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": group,
        "fsGroup": group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert deployment["automountServiceAccountToken"] is False
    assert deployment["enableServiceLinks"] is False


def test_a_pod_has_memory_for_what_the_settings_let_it_keep():
    resources = container()["resources"]
    amount = resources["limits"]["memory"]
    assert amount == resources["requests"]["memory"]
    limit_bytes = int(amount.removesuffix("Gi")) * 2**30
    cache_bytes = limit_bytes // 4  # the default on a CPU
    assert cache_bytes + DEFAULTS.session_bytes <= limit_bytes / 2


def test_cluster_ports_are_the_default_ports_by_the_same_names():
    ports = container()["ports"]
    assert {port["name"]: port["containerPort"] for port in ports} == PORTS
    exposed = load(ROOT / "k8s/base/service.yaml")["spec"]["ports"]
    assert {port["name"]: port["port"] for port in exposed} == PORTS
    assert all(port["targetPort"] == port["name"] for port in exposed)
    policy = load(ROOT / "k8s/base/networkpolicy.yaml")["spec"]
    assert [port["port"] for port in policy["ingress"][0]["ports"]] == list(PORTS)
    assert policy["egress"] == []
    assert "Egress" in policy["policyTypes"]


def test_selectors_find_the_pods():
    base = ROOT / "k8s/base"
    spec = load(base / "deployment.yaml")["spec"]
    assert spec["template"]["metadata"]["labels"] == LABELS
    assert spec["selector"]["matchLabels"] == LABELS
    assert load(base / "service.yaml")["spec"]["selector"] == LABELS
    budget = load(base / "poddisruptionbudget.yaml")["spec"]
    assert budget["selector"]["matchLabels"] == LABELS
    # A budget that never lets a pod go would hold up every node.
    assert spec["replicas"] > budget["maxUnavailable"] > 0
    assert load(base / "networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"] == LABELS


def test_an_unused_session_expires_before_its_client_loses_the_pod():
    affinity = load(ROOT / "k8s/base/service.yaml")["spec"]
    assert affinity["sessionAffinity"] == "ClientIP"
    kept_s = affinity["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    assert kept_s >= DEFAULTS.session_ttl_s


@pytest.mark.parametrize("path", sorted((ROOT / "k8s").glob("*/kustomization.yaml")), ids=name_of)
def test_a_kustomization_lists_every_file_beside_it(path):
    kustomization = load(path)
    patches = [patch["path"] for patch in kustomization.get("patches", [])]
    listed = [*kustomization["resources"], *patches]
    beside = {file.name for file in path.parent.iterdir()} - {path.name}
    assert {name for name in listed if "/" not in name} == beside
    assert all((path.parent / name).exists() for name in listed)
    (image,) = kustomization["images"]
    assert image["name"] == container()["image"]
    assert image["newTag"].removesuffix("-cuda") == __version__


def test_the_gpu_overlay_asks_for_one_gpu_of_the_container_it_patches():
    patch = load(ROOT / "k8s/gpu/deployment.yaml")
    base = load(ROOT / "k8s/base/deployment.yaml")
    assert [patch["kind"], patch["metadata"]["name"]] == [base["kind"], base["metadata"]["name"]]
    (patched,) = patch["spec"]["template"]["spec"]["containers"]
    assert patched["name"] == container()["name"]
    assert patched["resources"]["limits"] == {"nvidia.com/gpu": 1}
