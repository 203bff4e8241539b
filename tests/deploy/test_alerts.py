"""Alerts: Prometheus takes them, each fires at its fault, and each leads to a page that says what to do."""

from __future__ import annotations

import re

import yaml

from tests.deploy.programs import ROOT, require, run
from tests.test_docs import anchors

OBSERVABILITY = ROOT / "deploy/observability"
ALERTS = yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"][0]["rules"]
CASES = ROOT / "tests/deploy/alerts_test.yml"
PROMTOOL = "Debian has it in the package prometheus"


def test_prometheus_takes_the_rules_and_what_it_scrapes():
    """Its own tool finds nothing to say."""
    promtool = require("promtool", PROMTOOL)

    checked = run(promtool, "check", "config", OBSERVABILITY / "prometheus.yml")

    assert checked.returncode == 0, checked.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in checked.stdout + checked.stderr


def test_each_alert_fires_at_its_fault():
    """And is quiet before, and where all is well."""
    promtool = require("promtool", PROMTOOL)

    tested = run(promtool, "test", "rules", CASES)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_each_alert_is_tried_both_ways():
    """One that never fired may be one that cannot; one that always does says nothing."""
    tried = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]

    fired = {case["alertname"] for case in tried if case.get("exp_alerts")}
    quiet = {case["alertname"] for case in tried if not case.get("exp_alerts")}
    assert fired == quiet == {alert["alert"] for alert in ALERTS}


def test_each_alert_leads_to_what_to_do():
    """Its page has that heading."""
    for alert in ALERTS:
        page, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert anchor in set(anchors(ROOT / page)), alert["alert"]
        assert re.match("critical|warning", alert["labels"]["severity"])
