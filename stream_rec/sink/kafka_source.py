"""Kafka as a source: whole topics, by offsets that are told, without a consumer group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import kafka.errors
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, absent, connect, reading_consumer
from stream_rec.errors import BrokerUnavailable
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.sink.bookmark import Extent, Partition, Topic
from stream_rec.sink.copying import Fetched
from stream_rec.topics.admin import NO_ID

FETCH_BYTES = 8 << 20
"""Of one broker at a time; a larger record comes alone."""


class KafkaSource:
    """Some topics of one cluster. For one thread."""

    def __init__(self, kafka: KafkaSettings, topics: Sequence[str], most_records: int) -> None:
        """Connect.

        Args:
            topics: Full names.
            most_records: Of one fetch.

        Raises:
            BrokerUnavailable: no broker answered.
            LoginRefused: one did, and the login or its certificate is wrong.
            SettingsError: an address is none, or a certificate file cannot be read.
        """
        self._kafka, self._topics = kafka, list(topics)
        self._admin = connect(KafkaAdminClient, kafka, request_timeout_ms=BOOTSTRAP_TIMEOUT_MS)
        try:
            self._consumer = reading_consumer(
                kafka,
                auto_offset_reset="none",  # an offset that is not there is for the bookmark to judge
                max_poll_records=most_records,
                fetch_max_bytes=FETCH_BYTES,
            )
        except BaseException:
            self._admin.close()
            raise

    def describe(self) -> dict[str, Topic]:
        """Return what the topics are now, by full name.

        Raises:
            BrokerUnavailable: the broker did not say.
            TopicMismatch: there is no such topic, or this user may not see it.
        """
        with self._asking():
            described = {found["name"]: found for found in self._admin.describe_topics(self._topics)}
            for topic in self._topics:
                error = kafka.errors.for_code(described[topic]["error_code"])
                if error in (kafka.errors.UnknownTopicOrPartitionError, kafka.errors.TopicAuthorizationFailedError):
                    raise absent(self._kafka, topic)
                if error is not kafka.errors.NoError:
                    raise error(topic)
            numbers = {
                topic: [each["partition_index"] for each in described[topic]["partitions"]] for topic in self._topics
            }
            partitions = [TopicPartition(topic, number) for topic in self._topics for number in numbers[topic]]
            begins = self._consumer.beginning_offsets(partitions, timeout_ms=BOOTSTRAP_TIMEOUT_MS)
            ends = self._consumer.end_offsets(partitions, timeout_ms=BOOTSTRAP_TIMEOUT_MS)
        ids = {topic: str(described[topic].get("topic_id") or NO_ID) for topic in self._topics}
        return {
            topic: Topic(
                "" if ids[topic] == NO_ID else ids[topic],
                {
                    number: Extent(begins[TopicPartition(topic, number)], ends[TopicPartition(topic, number)])
                    for number in numbers[topic]
                },
            )
            for topic in self._topics
        }

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions from now on, each from this offset."""
        with self._asking():
            self._consumer.assign([TopicPartition(*place) for place in offsets])
            for place, offset in offsets.items():
                self._consumer.seek(TopicPartition(*place), offset)

    def fetch(self, timeout_s: float) -> Fetched:
        """Return the next records; none where none came within this time.

        Raises:
            BrokerUnavailable: reading has ended.
            TopicMismatch: this user may not read a topic any more.
            UnreadableRecords: records are compressed with a codec whose library is missing.
        """
        with self._asking():
            fetched = self._consumer.poll(int(timeout_s * 1000))
            # The position, not the last record's offset: the last offsets of a compacted topic may hold no record.
            positions = {tp: self._consumer.position(tp, timeout_ms=1) for tp in self._consumer.assignment()}
        return Fetched(
            [record for records in fetched.values() for record in records],
            {Partition(tp.topic, tp.partition): offset for tp, offset in positions.items() if offset is not None},
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()
        self._admin.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        topics = ", ".join(self._topics)
        try:
            yield
        except kafka.errors.TopicAuthorizationFailedError as error:
            raise absent(self._kafka, topics) from error
        except KafkaError as error:
            raise BrokerUnavailable(f"{topics} cannot be read: {type(error).__name__}: {error}") from error
