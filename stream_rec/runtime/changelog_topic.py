"""The topic of one table's changelog: what this process writes to it, in its own name, and what it reads of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.structs import RecordMetadata

from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.changelog import OWNER_BYTES, OWNER_HEADER, Claim
from stream_rec.runtime.clients import new_reader
from stream_rec.runtime.clock import require_same_time

POLL_MS = 200
RECORDS_AT_ONCE = 5_000
STALL_S = 30.0
"""After so long without a record, reading has failed: the process ends and is started again."""
LOG_APPEND_TIME = 1
"""What Kafka calls timestamps that are the broker's."""


class State(NamedTuple):
    """One new value of a table; None deletes."""

    partition: int
    key: bytes
    value: bytes | None


class ChangelogReader:
    """One table's changelog, for who reads it. ``start`` it before anything is read."""

    reader: AIOKafkaConsumer = None
    """None until it starts: it may be stopped before."""

    def __init__(self, table: str, app_id: str, kafka: KafkaSettings) -> None:
        """Describe the topic; nothing connects yet."""
        self.table = table
        self.topic = kafka.topic(f"{app_id}-{table}-changelog")
        self.n_partitions = kafka.partitions
        self._kafka = kafka

    async def start(self) -> None:
        """Connect."""
        # Nothing of ours is in a transaction; what a stranger left open here would stop reading at its first record.
        self.reader = new_reader(self._kafka, sees_open=True)
        await self.reader.start()

    async def stop(self) -> None:
        """Leave the broker."""
        if self.reader is not None:
            await self.reader.stop()

    async def end_offsets(self, numbers: Collection[int]) -> dict[int, int]:
        """Return, by partition, the offset after its last record."""
        ends = await self.reader.end_offsets([self._source(number) for number in numbers])
        return {number: ends[self._source(number)] for number in numbers}

    async def records(self, spans: Mapping[int, tuple[int, int]]) -> AsyncIterator[ConsumerRecord]:
        """Yield what there is of some partitions, from the first to the last offset of each span.

        Raises:
            TimeoutError: nothing came for ``STALL_S``.
        """
        last_of = {number: last for number, (first, last) in spans.items() if first <= last}
        if not last_of:
            return
        self.seek({number: spans[number][0] for number in last_of})
        heard_at = time.monotonic()
        while last_of:
            fetched = await self.reader.getmany(timeout_ms=POLL_MS, max_records=RECORDS_AT_ONCE)
            for source, records in fetched.items():
                heard_at = time.monotonic()
                for record in records:
                    if record.offset <= last_of.get(source.partition, -1):
                        yield record
            for number in list(last_of):
                if await self.reader.position(self._source(number)) > last_of[number]:
                    del last_of[number]
                    self.reader.pause(self._source(number))
            if time.monotonic() - heard_at > STALL_S:
                raise TimeoutError(f"{self.topic}: nothing came for {STALL_S:.0f} s of partitions {sorted(last_of)}")
            await asyncio.sleep(0)

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions, and no other, from these offsets on."""
        self.reader.assign([self._source(number) for number in offsets])
        for number, offset in offsets.items():
            self.reader.seek(self._source(number), offset)

    async def fetch(self, most: int) -> list[ConsumerRecord]:
        """Return the next ``most`` records, or fewer, having waited a little for the first."""
        fetched = await self.reader.getmany(timeout_ms=POLL_MS, max_records=most)
        return [record for records in fetched.values() for record in records]

    def _source(self, number: int) -> TopicPartition:
        return TopicPartition(self.topic, number)


class ChangelogTopic(ChangelogReader):
    """The same for who writes it, too, as one process."""

    def __init__(self, table: str, app_id: str, producer: AIOKafkaProducer, kafka: KafkaSettings) -> None:
        """Describe the topic; nothing connects yet."""
        super().__init__(table, app_id, kafka)
        self.owner = os.urandom(OWNER_BYTES)
        """Who writes here: this process, anew at each start."""
        self.headers = [(OWNER_HEADER, self.owner)]
        self._producer = producer

    async def send(self, states: Iterable[State]) -> list[RecordMetadata]:
        """Send all; return what the broker says of each.

        Raises:
            KafkaError: the broker did not take something.
            ClockOff: by that this machine's clock is wrong, or the broker's is: what else is sent would be lost.
        """
        futures = [
            await self._producer.send(
                self.topic, state.value, key=state.key, partition=state.partition, headers=self.headers
            )
            for state in states
        ]
        records = await asyncio.gather(*futures)
        broker_ms = max(
            (record.timestamp for record in records if record.timestamp_type == LOG_APPEND_TIME), default=None
        )
        if broker_ms is not None:
            require_same_time(broker_ms)
        return records

    async def write_claims(self, epochs: Mapping[int, int]) -> dict[int, int]:
        """Claim partitions with these epochs; return, by partition, the claims' offsets."""
        claims = {number: Claim(epoch, self.owner) for number, epoch in epochs.items()}
        records = await self.send([State(number, claim.key, claim.value) for number, claim in claims.items()])
        return {record.partition: record.offset for record in records}
