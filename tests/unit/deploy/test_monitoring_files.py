"""Dashboards, rules and the runbook agree with the metrics and with each other."""

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboards import DASHBOARDS, panels, queries
from programs import ROOT, program

from suresam.errors import (
    PermissionDenied,
    RateLimited,
    RequestError,
    ServiceError,
    Unauthenticated,
)
from suresam.routing.policy import REASONS
from suresam.routing.shadow.shadow import OUTCOMES
from suresam.telemetry import Telemetry

PROMETHEUS = ROOT / "docker/prometheus"
GRAFANA = ROOT / "docker/grafana"
RULES = PROMETHEUS / "rules.yml"
RUNBOOK = ROOT / "docs/runbook.md"


def rules(kind: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def expressions() -> list[str]:
    return [q.expr for q in queries()] + [r["expr"] for r in rules("record") + rules("alert")]


def test_prometheus_takes_the_configuration_and_every_alert_fires_when_it_should():
    promtool = program("promtool")
    tests = sorted(PROMETHEUS.glob("*_test.yml"))
    tested = {
        alert for path in tests for alert in re.findall(r"alertname: (\w+)", path.read_text())
    }
    assert tested == {rule["alert"] for rule in rules("alert")}
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", *tests]):
        told = subprocess.run(
            [promtool, *command], cwd=PROMETHEUS, capture_output=True, text=True, timeout=100
        )
        assert told.returncode == 0, told.stdout + told.stderr


def test_what_is_asked_for_is_measured_or_recorded():
    telemetry = Telemetry()
    telemetry.watch_process()
    telemetry.watch_process("suresam_engine")
    measured = set()
    for metric in telemetry.registry.collect():
        parts = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        measured |= {metric.name + part for part in parts.get(metric.type, [""])}
    recorded = {rule["record"] for rule in rules("record")}
    assert recorded
    asked = {
        name
        for expr in expressions()
        for name in re.findall(r"\b(?:suresam[_:]|process_)[\w:]+\b(?!\)\?)", expr)
    }
    assert asked - measured - recorded == set()


def test_a_bad_answer_is_whatever_the_caller_cannot_mend():
    def tree(kind: type[ServiceError]) -> set[type[ServiceError]]:
        return {kind}.union(*(tree(child) for child in kind.__subclasses__()))

    # Who asks for more than his key is granted can ask for less.
    callers = tree(RequestError) | {RateLimited}
    ours = {error.code for error in tree(ServiceError) - callers}
    for rule in rules("record"):
        if rule["record"].startswith("suresam:requests:bad_ratio"):
            [named] = re.findall(r'code=~"([^"]+)"', rule["expr"])
            assert set(named.split("|")) == ours
            window = rule["record"].rpartition("_rate")[2]
            assert set(re.findall(r"\[(\w+)\]", rule["expr"])) == {window}


def test_reasons_that_are_asked_for_are_given():
    named = {
        reason
        for expr in expressions()
        for group in re.findall(r'suresam_route_total\{reason=~"([^"]+)"', expr)
        for reason in group.split("|")
    }
    assert named
    assert named <= set(REASONS)


def test_every_alert_says_what_happened_and_has_its_section_in_the_runbook():
    sections = re.findall(r"^## (Suresam.+)$", RUNBOOK.read_text(), re.M)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in sections}
    linked = set()
    for alert in rules("alert"):
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["summary"]
        path, anchor = alert["annotations"]["runbook_url"].split("#")
        assert ROOT / path == RUNBOOK
        assert alert["alert"].lower() in anchor
        linked.add(anchor)
    assert linked == {anchor for anchor in anchors if anchor.startswith("suresam")}


def test_links_of_the_runbook_lead_somewhere():
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", RUNBOOK.read_text()):
        assert (RUNBOOK.parent / path).exists(), path


def test_the_runbook_knows_every_reason_to_be_refused_at_the_door():
    text = RUNBOOK.read_text()
    codes = [Unauthenticated.code, PermissionDenied.code, RateLimited.code]
    for name in (*codes, "requests_per_s", "concurrent", "device_ms_per_s", *OUTCOMES):
        assert f"`{name}`" in text, name


def test_dashboards_have_names_of_their_own():
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert [board["uid"] for board in boards] == [path.stem for path in DASHBOARDS]
    assert len({board["title"] for board in boards}) == len(boards) >= 2


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_explain_themselves_and_do_not_overlap(path: Path):
    board = json.loads(path.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        columns, rows = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        place = set(itertools.product(columns, rows))
        assert max(columns) < 24
        assert taken.isdisjoint(place), panel["title"]
        taken |= place
    for panel in panels(board):
        assert panel["description"].endswith(".")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs) > 0
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_one_instance_can_be_picked_out_on_every_dashboard():
    for path in DASHBOARDS:
        variables = json.loads(path.read_text())["templating"]["list"]
        assert [variable["name"] for variable in variables] == ["datasource", "job", "instance"]
    chosen = r'\{job=~"\$job",instance=~"\$instance"'
    for query in queries():
        measured = re.findall(r"(?<![\w:?])(?:suresam|process)_\w+\b(?!\)\?)", query.expr)
        plain = r"(?:(?<![\w:?])(?:suresam|process)_\w+)?"
        assert len(re.findall(plain + chosen, query.expr)) >= len(measured), query.panel


def test_grafana_finds_prometheus_and_the_dashboards_where_compose_puts_them():
    compose = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    mounts = dict(volume.split(":")[:2] for volume in compose["grafana"]["volumes"])
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]
    assert source["jsonData"]["timeInterval"] == scraped["scrape_interval"]
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/suresam.yaml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == mounts["./grafana/dashboards"]
