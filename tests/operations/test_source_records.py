"""Records read where they stand."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.client.connect import connect
from stream_rec.events.rejected import Origin
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.source_records import SourceRecordReader

pytestmark = pytest.mark.kafka


@pytest.fixture
def reader(kafka: KafkaSettings) -> Iterator[SourceRecordReader]:
    """A reader to be closed."""
    reader = SourceRecordReader(kafka)
    yield reader
    reader.close()


def test_a_record_is_found_where_it_stands_and_nowhere_else(kafka: KafkaSettings, reader: SourceRecordReader):
    """An offset without a record (here the end of a transaction), past the end, or of no partition, is None at once."""
    producer = connect(KafkaProducer, kafka, transactional_id=kafka.topic_prefix)
    producer.init_transactions()
    topic = kafka.topic("views")
    for partition in (0, 0, 1):
        producer.begin_transaction()
        producer.send(topic, value=b"x%d" % partition, partition=partition)
        producer.commit_transaction()
    producer.close()

    def value(*place: object) -> bytes | None:
        record = reader.find(Origin(*place))
        return record and record.value

    asked = [(topic, 0, offset) for offset in (0, 1, 2, 3, 4, 900)] + [(topic, 1, 0), (topic, 7, 0), (topic, 0, 2)]
    assert [value(*place) for place in asked] == [b"x0", None, b"x0", None, None, None, b"x1", None, b"x0"]
    assert value(kafka.topic("nothing"), 0, 0) is None


def test_a_record_is_replaced_by_a_good_newer_one_with_its_key(kafka: KafkaSettings, reader: SourceRecordReader):
    """However far behind it stands; a bad one, an older one and one in another partition replace nothing. Nor is one
    without a key replaced.

    But in the partition of the key, 0 of 2 for both, one that came later than what stands in the other does.
    """
    producer = connect(KafkaProducer, kafka)
    topic = kafka.topic("items")
    for key, value in [(b"a", b"good"), (b"b", b"good"), *[(b"x", b"good")] * 1200, (b"a", b"good"), (b"b", b"bad")]:
        producer.send(topic, key=key, value=value, partition=0)
    producer.flush()
    time.sleep(0.01)  # the broker's clock goes on
    producer.send(topic, key=b"b", value=b"good", partition=1).get(10)
    items = [(Origin(topic, 0, 0), b"a"), (Origin(topic, 0, 1), b"b"), (Origin(topic, 0, 1202), b"a")]
    items.append((Origin(topic, 1, 0), b"b"))
    items.append((Origin(topic, 0, 5), None))

    def is_good(record: ConsumerRecord) -> bool:
        return record.value == b"good"

    assert reader.find_replaced(items, is_good) == {Origin(topic, 0, 0)}
    producer.send(topic, key=b"b", value=b"good", partition=0).get(10)
    assert reader.find_replaced(items, is_good) == {Origin(topic, 0, 0), Origin(topic, 0, 1), Origin(topic, 1, 0)}
    assert reader.find(Origin(topic, 0, 1)).value == b"good"
    producer.close()
