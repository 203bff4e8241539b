"""The records that were rejected, read where they stand, and whether newer ones have replaced them since."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, absent, reading_consumer
from stream_rec.errors import BrokerUnavailable
from stream_rec.events.partition import partition_of
from stream_rec.events.rejected import Origin
from stream_rec.kafka_settings import KafkaSettings

READ_TIMEOUT_S = 30.0
"""How long the broker may take for one record."""


class SourceRecordReader:
    """Reads single records by where they stand; fast when they are asked for in the order of their offsets.

    Unlike ``RecordLookup`` it never takes a slow broker for a record that is gone.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        """Connect; raises what ``connect`` raises."""
        self._kafka = kafka
        self._consumer = reading_consumer(kafka, max_poll_records=500)
        self._partition: TopicPartition | None = None
        self._end = 0
        self._records: list[ConsumerRecord] = []
        self._read = range(0)
        """Offsets that ``_records`` holds, or that hold no record."""

    def find(self, origin: Origin) -> ConsumerRecord | None:
        """Return the record at ``origin``, or None if none is there (any more).

        Raises:
            BrokerUnavailable: the broker did not say.
            TopicMismatch: this user may not read the topic.
            UnreadableRecords: the record is compressed with a codec whose library is missing.
        """
        try:
            self._go_to(origin)
            if origin.offset not in self._read:
                self._fetch(origin.offset)
        except TopicAuthorizationFailedError as error:
            raise absent(self._kafka, origin.topic) from error
        except KafkaError as error:
            raise BrokerUnavailable(f"the record {origin} cannot be read: {error}") from error
        index = bisect_left(self._records, origin.offset, key=lambda record: record.offset)
        found = self._records[index : index + 1]
        return found[0] if found and found[0].offset == origin.offset else None

    def find_replaced(
        self, records: Iterable[tuple[Origin, bytes | None]], is_good: Callable[[ConsumerRecord], bool]
    ) -> set[Origin]:
        """Return those of some records of compacted topics after which a good record with the same key stands.

        After it in its partition, or, where that is not the one of its key, from its time on in the one that is. Reads
        the partitions from the first of these records to the end. A record without a key is replaced by none.

        Raises:
            BrokerUnavailable, TopicMismatch, UnreadableRecords: as of ``find``.
        """
        by_partition: dict[tuple[str, int], list[tuple[Origin, bytes, int]]] = defaultdict(list)
        for origin, key in records:
            if key is None:
                continue
            by_partition[origin.topic, origin.partition].append((origin, key, origin.offset + 1))
            if (start := self._start_of(origin, key)) is not None:
                by_partition[start.topic, start.partition].append((origin, key, start.offset))
        replaced: set[Origin] = set()
        for (topic, partition), wanted in by_partition.items():
            newest = dict.fromkeys((key for _, key, _ in wanted), -1)
            first = Origin(topic, partition, min(begin for _, _, begin in wanted))
            try:
                self._go_to(first)
                offset = first.offset
                while offset < self._end:
                    self._fetch(offset)
                    for record in self._records:
                        if record.key in newest and is_good(record):
                            newest[record.key] = record.offset
                    offset = self._read.stop
            except KafkaError as error:
                raise BrokerUnavailable(f"the records after {first} cannot be read: {error}") from error
            replaced |= {origin for origin, key, begin in wanted if newest[key] >= begin}
        return replaced

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _start_of(self, origin: Origin, key: bytes) -> Origin | None:
        """Return where the records of this key begin that are not older, or None if that is this very partition."""
        partition = partition_of(key, len(self._consumer.partitions_for_topic(origin.topic) or ()) or 1)
        if partition == origin.partition or (source := self.find(origin)) is None:
            return None
        tp = TopicPartition(origin.topic, partition)
        try:
            found = self._consumer.offsets_for_times({tp: source.timestamp})[tp]
        except KafkaError as error:
            raise BrokerUnavailable(f"the records after {origin} cannot be read: {error}") from error
        return found and Origin(origin.topic, partition, found.offset)

    def _go_to(self, origin: Origin) -> None:
        """Make the origin's partition the one that is read."""
        partition = TopicPartition(origin.topic, origin.partition)
        if partition == self._partition:
            return
        self._partition, self._records, self._read, self._end = partition, [], range(0), 0
        if origin.partition not in (self._consumer.partitions_for_topic(origin.topic) or ()):
            return
        self._consumer.assign([partition])
        begin = self._consumer.beginning_offsets([partition], timeout_ms=BOOTSTRAP_TIMEOUT_MS)[partition]
        self._end = self._consumer.end_offsets([partition], timeout_ms=BOOTSTRAP_TIMEOUT_MS)[partition]
        self._read = range(begin)  # taken by retention: known to be empty

    def _fetch(self, offset: int) -> None:
        """Read records from ``offset`` on, at least one if there is one."""
        self._records, self._read = [], range(offset, offset + 1)
        if offset >= self._end or self._partition is None:
            return
        self._consumer.seek(self._partition, offset)
        deadline = time.monotonic() + READ_TIMEOUT_S
        while not self._records and self._consumer.position(self._partition, timeout_ms=1000) < self._end:
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"{self._partition.topic}[{self._partition.partition}]@{offset} was not read within "
                    f"{READ_TIMEOUT_S:g} s; see that the broker is up"
                )
            self._records = self._consumer.poll(200).get(self._partition, [])
        self._read = range(offset, self._records[-1].offset + 1 if self._records else self._end)
