"""A topic is silent when reading it comes no further: not when what comes are no records."""

from __future__ import annotations

from contextlib import closing

import pytest
from confluent_kafka import Producer

from stream_rec.client.reader import TopicReader
from stream_rec.errors import BrokerUnavailable
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations import stall_timeout
from stream_rec.operations.stall_timeout import StallTimeout


def test_no_further_for_too_long_is_a_stall(monkeypatch: pytest.MonkeyPatch):
    """The same place twice; a place further on, also the first, is none."""
    monkeypatch.setattr(stall_timeout, "STALL_TIMEOUT_S", 0.0)
    listening = StallTimeout("topic t")
    for reached in (0, 1, 7):
        listening.check(reached)

    with pytest.raises(BrokerUnavailable, match="topic t stalled for 0 s before its end"):
        listening.check(7)


@pytest.mark.kafka
def test_aborted_records_are_read_past_without_a_stall(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch):
    """On a real broker: no record of 7 MB comes, and reading them comes to the end."""
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "transactional.id": kafka.topic("aborting"),
            "batch.num.messages": 100,
            "queue.buffering.max.messages": 10_000,
        }
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    for number in range(4_000):
        producer.produce(kafka.topic("views"), key=b"ann", value=b"%09d" % number * 200, partition=0)
    producer.flush(30)
    producer.abort_transaction(20)
    monkeypatch.setattr(stall_timeout, "STALL_TIMEOUT_S", 1.0)

    with closing(TopicReader(kafka, "views")) as reader:
        listening, places = StallTimeout("topic views"), []
        while not reader.is_ready:
            assert reader.poll(0.01) == []
            listening.check(reader.reached)
            places.append(reader.reached)

    assert places == sorted(places)
    assert places[-1] == 4_001
