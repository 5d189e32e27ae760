"""What the committed dashboards ask of Prometheus."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from programs import ROOT

ALL = {"$__rate_interval": "1m", "$job": "suresam", "$instance": ".+"}
"""What Grafana puts in the place of variables if nothing is chosen."""

DASHBOARDS = sorted((ROOT / "docker/grafana/dashboards").glob("*.json"))


class Query(NamedTuple):
    """One query of a panel, as it stands in the file."""

    dashboard: str
    panel: str
    expr: str

    def filled(self) -> str:
        """As Prometheus is asked."""
        expr = self.expr
        for variable, value in ALL.items():
            expr = expr.replace(variable, value)
        return expr


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those that show something, rows left out."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries() -> list[Query]:
    """Every query of every panel."""
    return [
        Query(path.stem, panel["title"], target["expr"])
        for path in DASHBOARDS
        for panel in panels(json.loads(path.read_text()))
        for target in panel["targets"]
    ]
