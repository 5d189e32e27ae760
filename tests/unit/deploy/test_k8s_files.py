"""What kustomize makes of k8s/: valid for Kubernetes, and in agreement with the code."""

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from programs import ROOT, program

from suresam.api.rest.routes import probes
from suresam.app import running
from suresam.engine import worker
from suresam.settings import Settings, read_settings
from suresam.telemetry import Telemetry

K8S = ROOT / "k8s"
FOLDERS = sorted(path.parent for path in K8S.rglob("kustomization.yaml"))
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
CUSTOM = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}  # operators' own, without a schema
LABELS = {"app.kubernetes.io/name": "suresam"}
PROXY = {"app.kubernetes.io/name": "suresam-sessions"}
DEFAULTS = Settings.model_construct()  # whatever the environment says
PORTS = {"http": DEFAULTS.http_port, "grpc": DEFAULTS.grpc_port}

Resources = dict[tuple[str, str], Any]


@cache
def render(folder: Path) -> Resources:
    """What a folder makes, by kind and name; a ConfigMap's without the hash of its content."""
    told = subprocess.run(
        [program("kubectl"), "kustomize", folder], capture_output=True, text=True, timeout=60
    )
    assert (told.returncode, told.stderr) == (0, "")
    found = {}
    for resource in yaml.safe_load_all(told.stdout):
        kind, name = resource["kind"], resource["metadata"]["name"]
        found[kind, name.rpartition("-")[0] if kind == "ConfigMap" else name] = resource
    return found


def overlay(name: str) -> Resources:
    return render(K8S / "overlays" / name)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    """The overlay for CPUs with every component, as an overlay of one's own."""
    folder = tmp_path_factory.mktemp("own")
    components = (path for path in (K8S / "components").iterdir() if path.name != "sessions")
    own = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(K8S / "overlays/cpu", folder)],
        "components": [os.path.relpath(path, folder) for path in sorted(components)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own))
    return render(folder)


def pod_of(resources: Resources, name: str = "suresam") -> Any:
    return resources["Deployment", name]["spec"]["template"]["spec"]


def container_of(resources: Resources, name: str = "suresam") -> Any:
    [only] = pod_of(resources, name)["containers"]
    return only


def settings_of(resources: Resources) -> dict[str, str]:
    return resources["ConfigMap", "suresam-settings"]["data"]


def selected_by(resources: Resources, service: str) -> dict[str, str]:
    return resources["Service", service]["spec"]["selector"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_opens_with_a_comment_and_is_used(folder):
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    generators = kustomization.get("configMapGenerator", [])
    listed = {
        *kustomization.get("resources", []),
        *(patch["path"] for patch in kustomization.get("patches", []) if "path" in patch),
        *(name for g in generators for name in [*g.get("envs", []), *g.get("files", [])]),
        "kustomization.yaml",
    }
    beside = {path.name for path in folder.iterdir()}
    assert {name for name in listed if "/" not in name} == beside
    for name in beside:
        assert (folder / name).read_text().startswith("# "), name


def test_kubernetes_takes_all_of_it(everything):
    program("kubernetes-validate")
    import kubernetes_validate  # comes with that program

    version = kubernetes_validate.latest_version()
    checked = []
    for resources in (everything, *(overlay(name) for name in OVERLAYS)):
        for (kind, _), resource in resources.items():
            if kind not in CUSTOM and resource not in checked:
                kubernetes_validate.validate(resource, version, strict=True)
                checked.append(resource)
    assert {kind for kind, _ in everything} >= CUSTOM | {"HorizontalPodAutoscaler", "ConfigMap"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_exist_and_have_valid_values(name, monkeypatch):
    resources = overlay(name)
    for variable, value in settings_of(resources).items():
        assert variable.removeprefix("SURESAM_").lower() in Settings.model_fields
        monkeypatch.setenv(variable, value)
    devices = {"cpu": "auto", "gpu": "cuda", "multi-gpu": "cuda:0,cuda:1,cuda:2,cuda:3"}
    settings = read_settings({})
    assert settings.device == devices[name]
    num_gpus = container_of(resources)["resources"]["limits"].get("nvidia.com/gpu", 0)
    assert num_gpus == settings.device.count("cuda")
    assert (settings.engine == "process") == (num_gpus > 1)
    [image] = {container_of(resources)["image"]}
    assert image == ("suresam:cuda" if num_gpus else "suresam:cpu")


def test_named_settings_are_the_pods(everything):
    variables = {item["name"] for item in container_of(everything)["env"]}
    assert {name for name in variables if name.startswith("SURESAM")} == set()
    [source] = container_of(everything)["envFrom"]
    name = everything["ConfigMap", "suresam-settings"]["metadata"]["name"]
    assert source == {"configMapRef": {"name": name}}


def test_keys_come_from_a_secret_and_nobody_is_served_without_one(everything):
    assert container_of(overlay("cpu")).get("args") is None  # the image's own: --allow-anonymous
    assert container_of(everything)["args"] == ["serve", "--host", "0.0.0.0"]
    [mount] = [m for m in container_of(everything)["volumeMounts"] if m["name"] == "keys"]
    [volume] = [v for v in pod_of(everything)["volumes"] if v["name"] == "keys"]
    assert settings_of(everything)["SURESAM_API_KEYS_FILE"] == f"{mount['mountPath']}/keys"
    assert volume["secret"]["secretName"] == "suresam-keys"
    assert volume["secret"]["defaultMode"] == 0o440
    assert ("Secret", "suresam-keys") not in everything


def test_a_pod_drains_before_it_is_killed():
    drained_s = DEFAULTS.drain_s + worker._STOP_S + 2 * running._GRACE_AFTER_DRAIN_S
    drained_s += running._LAST_SPANS_S
    resources = overlay("cpu")
    assert float(settings_of(resources)["SURESAM_DRAIN_S"]) == DEFAULTS.drain_s
    for name, needs_s in (("suresam", drained_s), ("suresam-sessions", 0)):
        program_name, sleep_s = container_of(resources, name)["lifecycle"]["preStop"]["exec"][
            "command"
        ]
        assert program_name == "sleep"
        assert pod_of(resources, name)["terminationGracePeriodSeconds"] > float(sleep_s) + needs_s
    # What Envoy has sent on is answered before it goes.
    assert float(sleep_s) > drained_s


def test_a_load_balancer_is_waited_for_only_where_the_component_is_taken(everything):
    [gate] = pod_of(everything)["readinessGates"]
    assert gate == {"conditionType": "cloud.google.com/load-balancer-neg-ready"}
    for name in OVERLAYS:
        assert "readinessGates" not in pod_of(overlay(name))


def test_traces_go_to_a_collector_that_the_pods_may_call(everything):
    assert "SURESAM_OTLP_ENDPOINT" not in settings_of(overlay("cpu"))
    url = urlsplit(settings_of(everything)["SURESAM_OTLP_ENDPOINT"])
    name, namespace = url.hostname.split(".")
    resources = everything["NetworkPolicy", "suresam-traces"]["spec"]
    assert resources["podSelector"]["matchLabels"] == LABELS
    names, collector = resources["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert collector["ports"] == [{"port": url.port}]
    [to] = collector["to"]
    assert to["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": namespace}
    assert name == "collector"


def test_pod_probes_are_routes_of_the_service():
    container = container_of(overlay("cpu"))
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
    }
    assert paths == {
        "startup": {"path": "/readyz", "port": "http"},
        "liveness": {"path": "/livez", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
    }
    assert {"/readyz", "/livez"} <= {route.path for route in probes.routes}


@pytest.mark.parametrize("name", ["suresam", "suresam-sessions"])
def test_pods_are_confined(name):
    pod = pod_of(overlay("cpu"), name)
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 10000
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container_of(overlay("cpu"), name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_the_pods_user_is_the_images():
    context = pod_of(overlay("cpu"))["securityContext"]
    [user] = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert (context["runAsUser"], context["runAsGroup"]) == tuple(map(int, user))
    assert context["fsGroup"] == context["runAsGroup"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_has_memory_for_what_the_settings_let_it_keep(name):
    resources = container_of(overlay(name))["resources"]
    amount = resources["limits"]["memory"]
    assert amount == resources["requests"]["memory"]
    limit_bytes = int(amount.removesuffix("Gi")) * 2**30
    cache_bytes = limit_bytes // 4  # the default on a CPU, and behind a GPU
    assert cache_bytes + DEFAULTS.session_bytes <= limit_bytes / 2


def test_ports_have_one_name_and_number_all_the_way():
    resources = overlay("cpu")
    for name in ("suresam", "suresam-sessions"):
        ports = container_of(resources, name)["ports"]
        assert {port["name"]: port["containerPort"] for port in ports} == PORTS
        policy = resources["NetworkPolicy", name]["spec"]
        assert [port["port"] for port in policy["ingress"][0]["ports"]] == list(PORTS)
        assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert resources["NetworkPolicy", "suresam"]["spec"]["egress"] == []
    for service in ("suresam", "suresam-pods"):
        exposed = resources["Service", service]["spec"]["ports"]
        assert {port["name"]: port["port"] for port in exposed} == PORTS
        assert all(port["targetPort"] == port["name"] for port in exposed)


def test_selectors_find_the_pods():
    resources = overlay("cpu")
    for name, labels in (("suresam", LABELS), ("suresam-sessions", PROXY)):
        spec = resources["Deployment", name]["spec"]
        assert spec["template"]["metadata"]["labels"] == labels
        assert spec["selector"]["matchLabels"] == labels
        budget = resources["PodDisruptionBudget", name]["spec"]
        assert budget["selector"]["matchLabels"] == labels
        # A budget that never lets a pod go would hold up every node.
        assert spec["replicas"] > budget["maxUnavailable"] > 0
        assert resources["NetworkPolicy", name]["spec"]["podSelector"]["matchLabels"] == labels


def test_the_way_leads_through_the_proxy_and_from_there_to_each_pod():
    assert selected_by(render(K8S / "base"), "suresam") == LABELS
    resources = overlay("cpu")
    assert selected_by(resources, "suresam") == PROXY
    assert resources["Service", "suresam"]["spec"]["sessionAffinity"] == "None"
    assert "sessionAffinityConfig" not in resources["Service", "suresam"]["spec"]
    assert resources["Service", "suresam-pods"]["spec"]["clusterIP"] == "None"
    assert selected_by(resources, "suresam-pods") == LABELS
    config = yaml.safe_load(resources["ConfigMap", "suresam-sessions"]["data"]["envoy.yaml"])
    for cluster in config["static_resources"]["clusters"]:
        assert cluster["lb_policy"] == "RING_HASH"
        [locality] = cluster["load_assignment"]["endpoints"]
        [endpoint] = locality["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["socket_address"]
        assert address == {"address": "suresam-pods", "port_value": PORTS[cluster["name"]]}


def test_envoy_waits_longer_than_a_request_may_take():
    text = (K8S / "components/sessions/envoy.yaml").read_text()
    for idle_s in re.findall(r"stream_idle_timeout: (\d+)s", text):
        assert float(idle_s) > DEFAULTS.max_deadline_ms / 1000


def test_the_base_keeps_a_clients_pod_for_as_long_as_an_unused_session():
    affinity = render(K8S / "base")["Service", "suresam"]["spec"]
    assert affinity["sessionAffinity"] == "ClientIP"
    kept_s = affinity["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    assert kept_s >= DEFAULTS.session_ttl_s


def test_autoscaling_follows_the_work_that_waits_and_does_not_cut_sessions_off(everything):
    assert "replicas" not in everything["Deployment", "suresam"]["spec"]
    by_hpa = everything["HorizontalPodAutoscaler", "suresam"]["spec"]
    by_keda = everything["ScaledObject", "suresam"]["spec"]
    [metric] = by_hpa["metrics"]
    [trigger] = by_keda["triggers"]
    name = metric["pods"]["metric"]["name"]
    assert name in {m.name for m in Telemetry().registry.collect()}
    assert trigger["metadata"]["query"] == f"sum({name})"
    assert metric["pods"]["target"]["averageValue"] == "500m"
    assert trigger["metadata"]["threshold"] == "0.5"
    assert by_hpa["scaleTargetRef"]["name"] == by_keda["scaleTargetRef"]["name"] == "suresam"
    assert (by_hpa["minReplicas"], by_hpa["maxReplicas"]) == (
        by_keda["minReplicaCount"],
        by_keda["maxReplicaCount"],
    )
    behaviors = (
        by_hpa["behavior"],
        by_keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
    )
    for behavior in behaviors:
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= DEFAULTS.session_ttl_s


def test_the_operators_prometheus_scrapes_each_pod_and_has_the_same_rules(everything):
    monitor = everything["ServiceMonitor", "suresam"]["spec"]
    pods = everything["Service", "suresam-pods"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= pods.items()
    front = everything["Service", "suresam"]["metadata"]["labels"]
    assert not monitor["selector"]["matchLabels"].items() <= front.items()
    assert pods[monitor["jobLabel"]] == "suresam"  # what the rules call the job
    [endpoint] = monitor["endpoints"]
    assert endpoint["port"] == "http"
    assert endpoint["path"] in {route.path for route in probes.routes}
    rules = yaml.safe_load((ROOT / "docker/prometheus/rules.yml").read_text())
    assert everything["PrometheusRule", "suresam"]["spec"] == rules, "`make rules` copies them"
