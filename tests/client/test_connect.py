"""Connecting, and what is said when that fails."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.client.connect import connect
from stream_rec.config import KafkaSettings
from stream_rec.errors import BrokerUnavailable


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


@pytest.mark.parametrize(("address", "words"), [("", "no Kafka broker is named"), ("host:port", "host:port")])
def test_an_address_that_is_none_fails_at_once(address: str, words: str):
    """What cannot be an address is not tried for seconds."""
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable, match=words):
        EventProducer(address)

    assert time.monotonic() - started < 1
