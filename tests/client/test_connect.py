"""Connecting, and what is said when that fails."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from confluent_kafka import Producer
from kafka.errors import Cancelled, KafkaTimeoutError

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.client.connect import connect
from stream_rec.client.reader import TopicReader
from stream_rec.config import KafkaSettings
from stream_rec.errors import BrokerUnavailable, SettingsError, UnreadableRecords
from tests.client import fresh_topics


def test_the_sdk_is_light():
    """An app that imports the SDK gets neither the pipeline's framework nor its models."""
    heavy = "{'faust', 'aiokafka', 'torch', 'transformers', 'numpy'}"
    code = f"import sys, stream_rec.client; print(sorted({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


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


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [("", BrokerUnavailable, "no Kafka broker is named"), ("host:port", SettingsError, "host:port")],
)
def test_an_address_that_is_none_fails_at_once(address: str, error: type[Exception], words: str):
    """What cannot be an address is not tried for seconds."""
    started = time.monotonic()
    with pytest.raises(error, match=words):
        EventProducer(address)

    assert time.monotonic() - started < 1


def test_a_client_that_is_closed_is_no_error(caplog: pytest.LogCaptureFixture):
    """kafka-python says ERROR where closing met its asking for metadata, after any good result; other errors stay."""
    connect(dict, KafkaSettings(bootstrap="one:9092"))
    connect(dict, KafkaSettings(bootstrap="one:9092"))
    for error in (Cancelled(), KafkaTimeoutError("no answer")):
        logging.getLogger("kafka.cluster").error("Metadata refresh: failed %s", error)

    assert [record.getMessage() for record in caplog.records] == [
        "Metadata refresh: failed KafkaTimeoutError: no answer"
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
