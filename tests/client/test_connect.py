"""Connecting, and what is said when that fails."""

from __future__ import annotations

import ast
import logging
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer
from kafka.errors import (
    Cancelled,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MetadataEmptyBrokerList,
    TopicAuthorizationFailedError,
)
from kafka.net.compat import KafkaNetClient

import stream_rec.client
from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.client import connect as connecting
from stream_rec.client.connect import ReadingConsumer, connect, expect_closing
from stream_rec.client.reader import TopicReader
from stream_rec.errors import BrokerUnavailable, SettingsError, UnreadableRecords
from stream_rec.kafka_settings import KafkaSettings
from tests.client import fresh_topics


def test_the_sdk_is_light():
    """An app that imports the SDK gets neither the pipeline's framework nor its models."""
    heavy = "{'faust', 'aiokafka', 'torch', 'transformers', 'numpy'}"
    code = f"import sys, stream_rec.client; print(sorted({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("client", [EventProducer, RecommendationsView])
def test_a_port_that_never_answers_is_given_up_within_ten_seconds(client: type):
    """A listener that is no Kafka does not hang an app, and no thread is left behind."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="no Kafka broker can be used at 127"):
            client(f"127.0.0.1:{server.getsockname()[1]}")

    assert time.monotonic() - started < 10
    assert threading.active_count() == before


def test_after_an_outage_it_is_looked_for_every_second():
    """kafka-python's pauses grow to 30 s: half a minute without events or lists after the broker is back."""
    options = connect(dict, KafkaSettings(bootstrap="one:9092"))

    assert options["reconnect_backoff_max_ms"] == 1_000


def asked(monkeypatch: pytest.MonkeyPatch, *answers: set[int] | KafkaError) -> ReadingConsumer:
    """A consumer of which kafka-python answers so, one after the other, with a clock that no pause makes wait."""
    left, now = list(answers), [0.0]

    def answer(_self: KafkaConsumer, _topic: str) -> set[int]:
        said = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(said, KafkaError):
            raise said
        return said

    monkeypatch.setattr(KafkaConsumer, "partitions_for_topic", answer)
    monkeypatch.setattr(
        connecting, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=lambda s: now.append(now.pop() + s))
    )
    return object.__new__(ReadingConsumer)


def test_a_broker_that_is_not_back_in_its_cluster_is_asked_again(monkeypatch: pytest.MonkeyPatch):
    """One that was stopped for longer than its session answers for a moment that there are no brokers."""
    consumer = asked(monkeypatch, MetadataEmptyBrokerList(), KafkaConnectionError("reset"), {0, 1})

    assert consumer.partitions_for_topic("clicks") == {0, 1}


def test_what_does_not_pass_is_an_error(monkeypatch: pytest.MonkeyPatch):
    """At once where asking again is no use, else after the time in which a broker is looked for."""
    with pytest.raises(TopicAuthorizationFailedError):
        asked(monkeypatch, TopicAuthorizationFailedError(), {0}).partitions_for_topic("clicks")
    with pytest.raises(MetadataEmptyBrokerList):
        asked(monkeypatch, MetadataEmptyBrokerList()).partitions_for_topic("clicks")


@pytest.mark.parametrize("client", [EventProducer, RecommendationsView])
@pytest.mark.parametrize(
    ("kafka", "error", "words"),
    [
        (KafkaSettings(bootstrap=""), BrokerUnavailable, "no Kafka broker is named"),
        (KafkaSettings(bootstrap="host:port"), SettingsError, "host:port"),
        (KafkaSettings(bootstrap="one:9092", security_protocol="SSL", ssl_cafile="none"), SettingsError, "ssl_cafile"),
    ],
)
def test_an_address_that_is_none_fails_at_once(client: type, kafka: KafkaSettings, error: type[Exception], words: str):
    """What cannot be an address, or has no certificate, is not tried for seconds; the docstring names the error."""
    started = time.monotonic()
    with pytest.raises(error, match=words):
        client(kafka)

    assert time.monotonic() - started < 1
    assert f"{error.__name__}: " in (client.__init__.__doc__ or "")


def raised_by_own_code() -> dict[str, set[str]]:
    """Return what each public function of the SDK raises itself, by its name and its class's."""
    found: dict[str, set[str]] = {}
    for path in sorted(Path(stream_rec.client.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for function in ast.iter_child_nodes(node) if isinstance(node, ast.ClassDef | ast.Module) else ():
                if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
                    where = f"{path.stem}.{getattr(node, 'name', '')}.{function.name}"
                    raised = {n.exc.func.id for n in ast.walk(function) if isinstance(n, ast.Raise) and is_made(n.exc)}
                    named = (ast.get_docstring(function) or "") + (ast.get_docstring(node) or "")
                    found[where] = {name for name in raised - {"absent"} if name not in named}
    return found


def is_made(raised: ast.expr | None) -> bool:
    """Say whether an error is made where it is raised."""
    return isinstance(raised, ast.Call) and isinstance(raised.func, ast.Name)


def test_what_a_function_raises_stands_in_its_docstring():
    """As far as it raises it itself: who calls it must know what to expect."""
    assert {where: names for where, names in raised_by_own_code().items() if names} == {}


def test_a_client_that_is_closed_is_no_error(caplog: pytest.LogCaptureFixture):
    """kafka-python says ERROR where closing met its asking for metadata, after any good result; other errors stay."""
    connect(dict, KafkaSettings(bootstrap="one:9092"))
    connect(dict, KafkaSettings(bootstrap="one:9092"))
    for error in (Cancelled(), KafkaTimeoutError("no answer")):
        logging.getLogger("kafka.cluster").error("Metadata refresh: failed %s", error)

    assert [record.getMessage() for record in caplog.records] == [
        "Metadata refresh: failed KafkaTimeoutError: no answer"
    ]


def test_a_client_that_is_closed_while_it_connects_is_no_error(caplog: pytest.LogCaptureFixture):
    """As one that has found its broker, and opens its connection to a second node; a lost connection stays an error."""
    expect_closing()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = KafkaNetClient(bootstrap_servers=f"127.0.0.1:{silent.getsockname()[1]}")
        client.maybe_connect("bootstrap-0")
        while not select.select([silent], [], [], 0)[0]:
            client.poll(timeout_ms=10)
        with silent.accept()[0] as accepted:
            while not select.select([accepted], [], [], 0)[0]:  # until its first request is here, never answered
                client.poll(timeout_ms=10)
            client.close()
    logging.getLogger("kafka.net.connection").error("Lost: %s", KafkaConnectionError("socket disconnected"))

    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        "Lost: KafkaConnectionError: socket disconnected"
    ]


@pytest.mark.kafka
def test_a_codec_that_cannot_be_read_is_said(bootstrap: str, monkeypatch: pytest.MonkeyPatch):
    """Not that the broker is away: what to install. From the view's own thread, too."""
    kafka = fresh_topics(bootstrap)
    foreign = Producer({"bootstrap.servers": bootstrap, "compression.type": "zstd"})
    foreign.produce(kafka.topic("recommendations"), key="ann", value=b'{"items": []}' * 100)
    foreign.flush(20)
    monkeypatch.setattr("kafka.codec.has_zstd", lambda: False)
    words = "zstd compression codec not found; install stream-rec with all that it depends on"

    with closing(TopicReader(kafka, "recommendations")) as reader, pytest.raises(UnreadableRecords, match=words):
        reader.read_to_end(20)
    with RecommendationsView(kafka) as lists, pytest.raises(UnreadableRecords, match=words):
        lists.wait_until_ready()
