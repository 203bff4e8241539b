"""A reader of whole topics: all partitions from their beginning, without a consumer group."""

from __future__ import annotations

import time

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, absent, reading_consumer
from stream_rec.errors import BrokerUnavailable, TopicMismatch
from stream_rec.kafka_settings import KafkaSettings


class TopicReader:
    """Reads topics up to the ends they had when the reader was made, then goes on with what comes. For one thread."""

    def __init__(self, kafka: KafkaSettings, *topics: str, newest: int | None = None) -> None:
        """Connect and find the ends.

        Args:
            topics: Names without prefix.
            newest: Begin so many offsets before the end of each partition, and not at its beginning.

        Raises:
            BrokerUnavailable: no broker answered.
            LoginRefused: one did, and the login or its certificate is wrong.
            SettingsError: an address is none, or a certificate file cannot be read.
            TopicMismatch: there is no such topic, or this user may not read it.
        """
        full = [kafka.topic(topic) for topic in topics]
        self.topic = ", ".join(full)
        self._kafka = kafka
        self._positions: dict[TopicPartition, int] = {}
        self._consumer = reading_consumer(kafka, max_poll_records=2000)
        try:
            partitions = []
            self.n_partitions: dict[str, int] = {}
            for topic in full:
                numbers = self._consumer.partitions_for_topic(topic)
                if not numbers:
                    raise absent(kafka, topic)
                partitions += [TopicPartition(topic, number) for number in numbers]
                self.n_partitions[topic] = len(numbers)
            self._consumer.assign(partitions)
            self._consumer.seek_to_beginning()
            self._ends = self._consumer.end_offsets(partitions, timeout_ms=BOOTSTRAP_TIMEOUT_MS)
            if newest is not None:
                begins = self._consumer.beginning_offsets(partitions, timeout_ms=BOOTSTRAP_TIMEOUT_MS)
                for tp, begin in begins.items():
                    self._consumer.seek(tp, max(begin, self._ends[tp] - newest))
        except TopicAuthorizationFailedError as error:
            self._consumer.close()
            raise absent(kafka, self.topic) from error
        except KafkaError as error:
            self._consumer.close()
            raise BrokerUnavailable(f"topic {self.topic} cannot be read: {error}") from error
        except TopicMismatch:
            self._consumer.close()
            raise

    @property
    def reached(self) -> int:
        """How far it is: the sum of the offsets up to which what was there at the start has been read."""
        return sum(self._positions.values())

    @property
    def is_ready(self) -> bool:
        """Whether everything that was there at the start has been returned by ``poll``."""
        return not self._ends

    def poll(self, timeout_s: float) -> list[ConsumerRecord]:
        """Return the next records, of each partition in order; none when ``timeout_s`` has passed without any.

        Raises:
            TopicMismatch: this user may not read the topic.
            UnreadableRecords: its records are compressed with a codec whose library is missing.
        """
        try:
            records = [record for part in self._consumer.poll(int(timeout_s * 1000)).values() for record in part]
        except TopicAuthorizationFailedError as error:
            raise absent(self._kafka, self.topic) from error
        for tp in list(self._ends):
            # The position, not the last record's offset: the last offsets of a compacted topic may hold no record.
            self._positions[tp] = self._consumer.position(tp, timeout_ms=1000) or self._positions.get(tp, 0)
            if self._positions[tp] >= self._ends[tp]:
                del self._ends[tp]
        return records

    def read_to_end(self, timeout_s: float) -> list[ConsumerRecord]:
        """Return everything from here to the end that the topic had at the start; raises as ``poll`` does, too.

        Raises:
            BrokerUnavailable: that took longer than ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        records: list[ConsumerRecord] = []
        while not self.is_ready:
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"topic {self.topic} was not read to its end within {timeout_s:g} s")
            records += self.poll(0.2)
        return records

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()


class RecordLookup:
    """Reads single records by where they stand."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Connect; raises what ``connect`` raises."""
        self._kafka = kafka
        self._consumer = reading_consumer(
            kafka,
            max_partition_fetch_bytes=4096,  # the broker sends whole batches, but no more than the one
        )

    def find(self, topic: str, partition: int, offset: int, *, timeout_s: float = 2.0) -> ConsumerRecord | None:
        """Return the record at ``offset``, or None if it is not there any more, or not within ``timeout_s``.

        Args:
            topic: Full name, with prefix.

        Raises:
            TopicMismatch: this user may not read the topic.
            UnreadableRecords: the record is compressed with a codec whose library is missing.
        """
        tp = TopicPartition(topic, partition)
        self._consumer.assign([tp])
        self._consumer.seek(tp, offset)
        try:
            records = self._consumer.poll(int(timeout_s * 1000), max_records=1).get(tp, [])
        except TopicAuthorizationFailedError as error:
            raise absent(self._kafka, topic) from error
        return next((record for record in records if record.offset == offset), None)

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()
