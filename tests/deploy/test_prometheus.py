"""A real Prometheus asks a real worker, and its alerts fire at real faults: bad records, and a worker killed."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from kafka import KafkaProducer

from stream_rec.client.connect import connect
from stream_rec.config import Settings, override
from stream_rec.testing.pipeline import RunningPipeline
from tests.deploy.programs import ROOT, require
from tests.deploy.stack import free_ports, wait_until
from tests.deploy.test_alerts import OBSERVABILITY, PROMTOOL

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]


class Prometheus:
    """One that runs."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=f"{address}/api/v1", timeout=5)

    def is_there(self) -> bool:
        """Return whether it answers."""
        try:
            return self._client.get("/status/runtimeinfo").status_code == 200
        except httpx.HTTPError:
            return False

    def value(self, query: str) -> float:
        """Return what a query comes to, NaN where there is nothing."""
        found = self._client.get("/query", params={"query": query}).json()["data"]["result"]
        return float(found[0]["value"][1]) if found else float("nan")

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self._client.get("/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@contextmanager
def running_prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Run one with our configuration and our alerts, in seconds where they have minutes."""
    program = require("prometheus", PROMTOOL)
    (port,) = free_ports(1)
    config = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "alerts.yml").write_text(hurried((OBSERVABILITY / "alerts.yml").read_text()))
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        try:
            prometheus = Prometheus(f"http://127.0.0.1:{port}")
            wait_until(prometheus.is_there)
            yield prometheus
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def hurried(rules: str) -> str:
    """Return the alerts with seconds in place of minutes."""
    return re.sub(r"for: \d+[mh]", "for: 1s", rules).replace("[5m]", "[20s]")


def test_alerts_fire_at_their_faults(bootstrap, tmp_path):
    """None while all is well; rejected records, then a worker that is gone."""
    (port,) = free_ports(1)
    settings = override(Settings(), {"telemetry.port": port, "embedder.encoder": "hashing"})
    with (
        RunningPipeline(bootstrap, settings, embedder=False) as pipeline,
        running_prometheus(tmp_path, f"127.0.0.1:{port}") as prometheus,
        pipeline.producer() as producer,
    ):
        producer.click("ann", "teapot-1")
        wait_until(lambda: prometheus.value("sum(stream_rec_records_total)") >= 1)
        wait_until(lambda: prometheus.value("stream_rec_ready") == 1)
        assert prometheus.value('stream_rec_info{role="worker"}') == 1
        wait_until(lambda: prometheus.firing() == set())

        with closing(connect(KafkaProducer, pipeline.settings.kafka)) as app:

            def send_and_ask() -> bool:
                app.send(pipeline.settings.kafka.topic("clicks"), key=b"ann", value=b"no JSON")
                return "StreamRecRejectedGrows" in prometheus.firing()

            wait_until(send_and_ask)
        assert prometheus.value("sum(stream_rec_rejected_total)") > 0

        pipeline.children["worker-1"].kill()
        wait_until(lambda: {"StreamRecDown", "StreamRecNoWorker"} <= prometheus.firing())
