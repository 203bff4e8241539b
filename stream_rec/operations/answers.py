"""Which of the events that were sent have been taken: their users' lists say so, within milliseconds."""

from __future__ import annotations

import msgspec
from kafka import TopicPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError
from msgspec import Struct

from stream_rec.client.connect import absent, reading_consumer
from stream_rec.errors import TopicMismatch
from stream_rec.kafka_settings import KafkaSettings


class Answers:
    """Lists as they come, set against events that wait for one. For one thread; close it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Connect, and begin where ``recommendations`` ends now.

        Raises:
            BrokerUnavailable: no broker answered.
            LoginRefused: one did, and the login or its certificate is wrong.
            SettingsError: an address is none, or a certificate file cannot be read.
            TopicMismatch: there is no such topic, or this user may not read it.
        """
        self._kafka = kafka
        self._waiting: dict[bytes, dict[str, tuple[int, int]]] = {}
        """By user and topic without prefix: partition and offset of the last event."""
        topic = kafka.topic("recommendations")
        self._consumer = reading_consumer(kafka, max_poll_records=500)
        try:
            partitions = [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic) or ()]
            if not partitions:
                raise absent(kafka, topic)
            self._consumer.assign(partitions)
            self._consumer.seek_to_end()
            for partition in partitions:
                self._consumer.position(partition, timeout_ms=10_000)  # else it would be the end at the first poll
        except (KafkaError, TopicMismatch) as error:
            self._consumer.close()
            raise absent(kafka, topic) from error

    @property
    def n_users(self) -> int:
        """How many users' lists are still waited for."""
        return len(self._waiting)

    def expect(self, topic: str, user_key: bytes, partition: int, offset: int) -> None:
        """Wait for a list that has seen an event of ``topic``, named without prefix."""
        self._waiting.setdefault(user_key, {})[topic] = partition, offset

    def poll(self, timeout_s: float) -> None:
        """Take in the lists that have come, waiting at most so long for the first.

        Raises:
            TopicMismatch: this user may not read them.
            UnreadableRecords: they are compressed with a codec whose library is missing.
        """
        try:
            polled = self._consumer.poll(int(timeout_s * 1000))
        except TopicAuthorizationFailedError as error:
            raise absent(self._kafka, self._kafka.topic("recommendations")) from error
        for records in polled.values():
            for record in records:
                waiting = self._waiting.get(record.key)
                if waiting is not None and record.value is not None:
                    seen = _SEEN.decode(record.value).seen
                    self._release(record.key, {t for t, (_, at) in waiting.items() if seen.get(t, -1) >= at})

    def release_committed(self, offsets: dict[TopicPartition, int]) -> None:
        """Stop waiting for what workers have committed: there is no list for an event of a user who was forgotten.

        Args:
            offsets: Of the next record to be read of each partition, which is named with its prefix.
        """
        for key, waiting in list(self._waiting.items()):
            done = {
                topic
                for topic, (partition, at) in waiting.items()
                if offsets.get(TopicPartition(self._kafka.topic(topic), partition), 0) > at
            }
            self._release(key, done)

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _release(self, key: bytes, topics: set[str]) -> None:
        waiting = self._waiting[key]
        for topic in topics:
            del waiting[topic]
        if not waiting:
            del self._waiting[key]


class _Seen(Struct):
    """The part of a list that is needed here."""

    seen: dict[str, int] = {}


_SEEN = msgspec.json.Decoder(_Seen)
