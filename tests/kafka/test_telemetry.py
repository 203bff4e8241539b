"""What a worker and an embedder say of themselves is true, and saying it costs nobody a list."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from stream_rec.broker.lifecycle import start_broker, stop_broker
from stream_rec.client.connect import connect
from stream_rec.config import BrokerSettings, Settings
from stream_rec.events.status import Status
from stream_rec.testing.pipeline import RunningPipeline
from tests.command import command
from tests.kafka.logs import catalog_of, send, zipf_log
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

TIMEOUT_S = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def ask(port: int, path: str) -> tuple[int, str]:
    """Return what a process answers; 0 where it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def read_metrics(port: int) -> dict[str, float]:
    """Return the samples of ``/metrics`` by name and labels, as `name{label}`."""
    _, text = ask(port, "/metrics")
    return {
        sample.name + (f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def wait_for(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not fact():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def statuses(running: RunningPipeline) -> dict[str, Status]:
    return {key: msgspec.json.decode(value, type=Status) for key, value in running.read_compacted("status").items()}


def test_metrics_and_status_say_what_a_log_was(bootstrap: str) -> None:
    """Counts are those of what was sent, bad records among it, from the first answer to the last status."""
    log = zipf_log(n_events=600, n_users=40, n_items=60, seed=3)
    port = free_port()
    settings = quick_settings(telemetry={"port": port, "status_interval_s": 0.2, "judged_per_second": 100_000})
    items = list(catalog_of(log))
    sent = {kind.name.lower() + "s": sum(each == kind for each, _ in log) for kind, _ in log}
    sent["clicks"] += 1  # one that is not JSON

    with RunningPipeline(bootstrap, settings, embedder=False) as running:
        assert ask(port, "/readyz") == (200, '{"status":"ok"}')
        with running.producer() as producer:
            for item in items:
                producer.item(item)
            producer.flush()
            wait_for(lambda: read_metrics(port)["stream_rec_catalog_items"] == len(items))
            send(producer, log)
        with closing(connect(KafkaProducer, running.settings.kafka)) as raw:
            raw.send(running.settings.kafka.topic("clicks"), key=b"ann", value=b"click!").get(TIMEOUT_S)
        running.wait_until_settled()
        seen = read_metrics(port)
        wait_for(lambda: statuses(running)["worker/worker-1"].judged.get("lists") is not None)
        wait_for(lambda: not any(statuses(running)["worker/worker-1"].lag.values()))
        assert running.children["worker-1"].stop() == 0
        last = statuses(running)["worker/worker-1"]

    taken = {topic: seen[f"stream_rec_records_total{{{topic}}}"] for topic in sent}
    assert taken == sent
    assert seen["stream_rec_event_to_list_seconds_count"] == len(log) + 1
    assert seen["stream_rec_rejected_total{not_json}"] == last.rejected["not_json"] == 1
    assert seen["stream_rec_judged_choices_total{lists}"] == seen["stream_rec_judged_choices_total{popularity}"] > 500
    assert seen["stream_rec_hits_total{lists}"] > 0 and seen["stream_rec_dcg_total{own_items}"] > 0
    assert seen["stream_rec_ready"] == 1 and seen["process_cpu_seconds_total"] > 0
    assert (last.state, last.lists, sum(last.event_to_list)) == (
        "stopping",
        seen["stream_rec_lists_total"],
        len(log) + 1,
    )
    assert {topic: last.taken[topic] for topic in sent} == sent
    assert last.judged["lists"].n == seen["stream_rec_judged_choices_total{lists}"]
    assert 0 < last.coverage <= 1 and 0 <= last.gini < 1 and last.items == len(items)
    assert last.head is not None and last.head.features and sum(last.head.experts.values()) == pytest.approx(1)
    assert last.partitions == list(range(settings.kafka.partitions))


def test_a_worker_whose_broker_goes_away_says_so_and_goes_on(tmp_path: Path) -> None:
    """Not ready while nobody confirms it, alive all the while; then ready, and its status is written again."""
    broker = BrokerSettings(
        data_dir=str(tmp_path), port=0, preferred_port=0, controller_port=0, start_timeout_s=2 * TIMEOUT_S
    )
    port = free_port()
    settings = quick_settings(
        telemetry={"port": port, "status_interval_s": 0.2}, worker={"session_timeout_s": 30.0}, kafka={"partitions": 1}
    )
    try:
        bootstrap = start_broker(Settings(broker=broker), {}).bootstrap
        with RunningPipeline(bootstrap, settings, embedder=False) as running:
            wait_for(lambda: "worker/worker-1" in statuses(running))
            stop_broker(broker)
            wait_for(lambda: ask(port, "/readyz")[0] == 503)
            code, why = ask(port, "/readyz")
            assert ask(port, "/healthz") == (200, '{"status":"ok"}')
            start_broker(Settings(broker=broker), {})
            wait_for(lambda: ask(port, "/readyz")[0] == 200)
            before_ms = statuses(running)["worker/worker-1"].written_ms
            wait_for(lambda: statuses(running)["worker/worker-1"].written_ms > before_ms)
            assert running.children["worker-1"].stop() == 0
    finally:
        stop_broker(broker)
    assert code == 503 and "no broker has confirmed" in json.loads(why)["why"]


def test_a_port_that_is_taken_ends_a_worker_before_anything_starts(bootstrap: str, tmp_path: Path) -> None:
    """The message names both settings, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "s.toml").write_text(f"[telemetry]\nport = {port}\n")
        ended = command("--bootstrap", bootstrap, "--config", "s.toml", "worker", cwd=tmp_path)

    assert ended.returncode == 2
    assert f"telemetry.host=127.0.0.1 telemetry.port={port}: " in ended.stderr and "set another" in ended.stderr


def test_an_embedder_says_what_it_has_embedded(bootstrap: str) -> None:
    """And with what; a tombstone of an item is no item."""
    with RunningPipeline(bootstrap, quick_settings(telemetry={"status_interval_s": 0.2}), workers=0) as running:
        with running.producer() as producer:
            for item in catalog_of(zipf_log(n_events=50, n_users=4, n_items=5, seed=3)):
                producer.item(item)
        wait_for(lambda: statuses(running).get("embedder/embedder-1", Status).embedded_items)
        said = statuses(running)["embedder/embedder-1"]

    assert said.encoder.startswith("hashing") and said.device == "cpu"
