"""What a worker and an embedder say of themselves is true, and saying it costs nobody a list."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from stream_rec.broker.data_dir import read_state
from stream_rec.broker.lifecycle import start_broker, stop_broker
from stream_rec.client.connect import connect
from stream_rec.client.reader import TopicReader
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
        # A loop that is busy has its last answer given.
        wait_for(lambda: read_metrics(port)["stream_rec_event_to_list_seconds_count"] == len(log) + 1)
        wait_for(lambda: not any(value for name, value in read_metrics(port).items() if "_lag_records" in name))
        seen = read_metrics(port)
        wait_for(lambda: statuses(running)["worker/worker-1"].judged.get("lists") is not None)
        wait_for(lambda: not any(statuses(running)["worker/worker-1"].lag.values()))
        wait_for(lambda: statuses(running)["worker/worker-1"].coverage > 0)  # it is looked at every 5 s
        assert running.children["worker-1"].stop() == 0
        last = statuses(running)["worker/worker-1"]

    taken = {topic: seen[f"stream_rec_records_total{{{topic}}}"] for topic in sent}
    assert taken == sent
    assert seen["stream_rec_event_to_list_seconds_count"] == len(log) + 1
    assert seen["stream_rec_rejected_total{not_json}"] == last.rejected["not_json"] == 1
    judged = seen["stream_rec_judged_choices_total{lists}"]
    assert judged == seen["stream_rec_judged_choices_total{popularity}"] >= seen["stream_rec_learned_total"] > 0
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


def test_a_worker_whose_broker_does_not_answer_says_so_and_goes_on(tmp_path: Path) -> None:
    """Not ready while nobody confirms it, alive all the while; then ready, and its status is written again."""
    broker = BrokerSettings(
        data_dir=str(tmp_path), port=0, preferred_port=0, controller_port=0, start_timeout_s=2 * TIMEOUT_S
    )
    port = free_port()
    settings = quick_settings(
        telemetry={"port": port, "status_interval_s": 0.2}, worker={"session_timeout_s": 20.0}, kafka={"partitions": 1}
    )
    try:
        bootstrap = start_broker(Settings(broker=broker), {}).bootstrap
        pid = read_state(tmp_path).pid
        with RunningPipeline(bootstrap, settings, embedder=False) as running:
            wait_for(lambda: "worker/worker-1" in statuses(running))
            try:
                os.kill(pid, signal.SIGSTOP)
                wait_for(lambda: ask(port, "/readyz")[0] == 503)
                code, why = ask(port, "/readyz")
                health = ask(port, "/healthz")
            finally:
                os.kill(pid, signal.SIGCONT)
            wait_for(lambda: ask(port, "/readyz")[0] == 200)
            before_ms = statuses(running)["worker/worker-1"].written_ms
            wait_for(lambda: statuses(running)["worker/worker-1"].written_ms > before_ms)
            assert running.children["worker-1"].stop() == 0
    finally:
        stop_broker(broker)
    assert code == 503 and "no broker has confirmed" in json.loads(why)["why"]
    assert health == (200, '{"status":"ok"}')


def test_a_port_that_is_taken_ends_a_worker_before_anything_starts(bootstrap: str, tmp_path: Path) -> None:
    """The message names both settings, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "s.toml").write_text(f"[telemetry]\nport = {port}\n")
        ended = command("--bootstrap", bootstrap, "--config", "s.toml", "worker", cwd=tmp_path)

    assert ended.returncode == 2
    assert f"telemetry.host=127.0.0.1 telemetry.port={port}: " in ended.stderr and "set another" in ended.stderr


def test_an_embedder_says_what_it_has_embedded(bootstrap: str) -> None:
    """And with what."""
    with RunningPipeline(bootstrap, quick_settings(telemetry={"status_interval_s": 0.2}), workers=0) as running:
        with running.producer() as producer:
            for item in catalog_of(zipf_log(n_events=50, n_users=4, n_items=5, seed=3)):
                producer.item(item)
        wait_for(lambda: "embedder/embedder-1" in statuses(running))
        wait_for(lambda: statuses(running)["embedder/embedder-1"].embedded_items > 0)
        said = statuses(running)["embedder/embedder-1"]

    assert said.encoder.startswith("hashing") and said.device == "cpu"


class Collector:
    """An OpenTelemetry collector that keeps what it is sent."""

    def __init__(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.spans: list = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_trace_leads_from_an_app_through_the_worker_to_who_reads_the_list(bootstrap: str) -> None:
    """The app's span is the parent, and the list's record goes on with the worker's; the last are sent at the end."""
    trace = pytest.importorskip("opentelemetry.sdk.trace", reason="needs the extra `otel`")
    tracer = trace.TracerProvider(shutdown_on_exit=False).get_tracer("app")

    with Collector() as collector:
        settings = quick_settings(telemetry={"otlp_endpoint": collector.endpoint, "trace_share": 0.0})
        with RunningPipeline(bootstrap, settings, embedder=False) as running, running.producer() as producer:
            with tracer.start_as_current_span("page") as page:
                producer.view("ann", "teapot")
            producer.flush()
            producer.view("bob", "teapot")
            producer.flush()
            running.wait_until_settled()
            reader = TopicReader(running.settings.kafka, "recommendations")
            headers = {record.key: dict(record.headers) for record in reader.read_to_end(TIMEOUT_S)}
            reader.close()
            assert running.children["worker-1"].stop() == 0

    (whole,) = (span for span in collector.spans if span.name == "event to list")
    context = page.get_span_context()
    assert int.from_bytes(whole.trace_id, "big") == context.trace_id
    assert int.from_bytes(whole.parent_span_id, "big") == context.span_id
    assert len(collector.spans) == 6
    assert headers[b"ann"]["traceparent"].split(b"-")[2].decode() == whole.span_id.hex()
    assert "traceparent" not in headers[b"bob"]
