"""Grafana's board: each query is one, of metrics that there are, to the data source that is set up with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from stream_rec.telemetry.metrics import METRICS
from tests.deploy.programs import ROOT, require, run
from tests.deploy.test_alerts import ALERTS, PROMTOOL

GRAFANA = ROOT / "deploy/observability/grafana"
BOARD = json.loads((GRAFANA / "dashboards/stream-rec.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
OF_LIBRARIES = {
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "up",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
}
"""Of the client library, of Prometheus, of Kubernetes and of node_exporter."""


def queries() -> Iterator[str]:
    """Yield each query of the board."""
    for panel in PANELS:
        yield from (target["expr"] for target in panel["targets"])


def metrics_in(query: str) -> set[str]:
    """Return the metrics that a query reads, a histogram's by its own name."""
    words = re.findall(r"\b(?:stream_rec|process|kubelet|node)_[a-z_]+|\bup\b", query)
    return {word.removesuffix("_bucket") for word in words}


def test_each_metric_of_board_and_alerts_is_there():
    """One that was renamed would show nothing, and never fire."""
    used = set().union(*map(metrics_in, [*queries(), *(alert["expr"] for alert in ALERTS)]))

    assert used <= METRICS.keys() | OF_LIBRARIES
    assert len(used & METRICS.keys()) > 12


def test_each_query_is_one(tmp_path):
    """With its variables filled in."""
    promtool = require("promtool", PROMTOOL)
    rules = [
        {"record": f"board:{number}", "expr": query.replace("$job", ".+").replace("$hours", "6h")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))

    checked = run(promtool, "check", "rules", file)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_panel_asks_the_data_source_that_is_set_up():
    """By its uid; a board that asks for one by another shows errors alone."""
    (source,) = yaml.safe_load((GRAFANA / "datasources/prometheus.yml").read_text())["datasources"]
    expected = {"type": source["type"], "uid": source["uid"]}

    asked = [panel["datasource"] for panel in PANELS]
    asked += [target["datasource"] for panel in PANELS for target in panel["targets"]]
    asked += [variable["datasource"] for variable in BOARD["templating"]["list"] if variable["type"] == "query"]
    assert all(one == expected for one in asked)


def test_panels_have_a_place_of_their_own():
    """No two overlap, and each has a name and an id of its own."""
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len({panel["title"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    taken = [
        (x, y)
        for panel in BOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_grafana_reads_the_board_where_it_lies():
    """The path of the provider is that of the volume in compose.yaml."""
    (provider,) = yaml.safe_load((GRAFANA / "dashboards/stream-rec.yml").read_text())["providers"]
    volumes = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["grafana"]["volumes"]

    assert "./observability/grafana:/etc/grafana/provisioning:ro" in volumes
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
