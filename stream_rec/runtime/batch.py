"""The recipe, written once: nothing is acked before all it caused is acknowledged by the broker.

1. Take a batch of raw records; read the states of its keys.
2. Send the new states to the changelog; wait until the broker has them all.
3. Write them to RocksDB: the local state is never ahead of the changelog (``changelog_writer.py``).
4. Send what else the batch caused; wait until the broker has it all.
5. Ack the batch.

Any failure raises, the process ends, and the next one starts at the last committed offset: steps 2 to 4 happen again.
So what is sent twice must mean the same as once; that is the core's part (``user/signals.py``, ``knowledge/state.py``).

Why not Faust's own ways (``take``, ``table[key] = value``, ``topic.send``): each loses data:
docs/concepts/architecture.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import NamedTuple

import faust
from aiokafka import AIOKafkaProducer
from faust.types import Message

from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.clock import named_clock
from stream_rec.runtime.consumer import consumer_of
from stream_rec.runtime.stage_buffer import StageBuffer
from stream_rec.runtime.table import Table


class Send(NamedTuple):
    """One record to produce. Without ``partition`` the key decides (murmur2)."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] | None = None


class Batch:
    """Records to handle together. Call ``commit`` with all that they cause, at least once."""

    def __init__(self, messages: list[Message], table: Table | None, producer: AIOKafkaProducer) -> None:
        self.messages = messages
        self.is_committed = False
        self._table = table
        self._producer = producer

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the table's value of ``key``, None where there is none."""
        return self._owned().read(partition, key)

    def scan(self, partition: int, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return the table's keys that begin with ``prefix``, and their values."""
        return self._owned().scan(partition, prefix)

    def purge(self, partition: int) -> None:
        """Have the bytes of deleted keys taken from the disk soon."""
        self._owned().purge(partition)

    def _owned(self) -> Table:
        if self._table is None:
            raise AssertionError("this stage keeps no states")
        return self._table

    async def commit(self, *, states: Iterable[State] = (), sends: Iterable[Send] = ()) -> None:
        """Return when the broker has acknowledged the states, and then the sends.

        Raises:
            KafkaError: the broker did not take something: the process must end without acking.
            ClockOff: it did not because of the time, or its time is another: likewise.
        """
        if self._table is not None:
            await self._table.commit(states)
        futures = [
            await self._producer.send(
                send.topic, send.value, key=send.key, partition=send.partition, headers=send.headers
            )
            for send in sends
        ]
        with named_clock():
            await asyncio.gather(*futures)
        self.is_committed = True


def headers_of(message: Message) -> Iterable[tuple[str, bytes]]:
    """Return the headers of a record; Faust has them as one or the other."""
    return message.headers.items() if isinstance(message.headers, Mapping) else message.headers or ()


async def exactly_once_effect(
    stream: faust.StreamT[bytes],
    producer: AIOKafkaProducer,
    *,
    table: Table | None = None,
    max_records: int,
    wait_s: float,
) -> AsyncIterator[Batch]:
    """Yield batches of a stream of raw records, each acked after its ``commit``.

    Args:
        max_records: Of one batch.
        wait_s: How long a lone record may wait for company.
    """
    consumer = consumer_of(stream.app)
    buffer = consumer.fill(StageBuffer(stream))
    while True:
        try:
            events = await buffer.take(max_records, wait_s)
        except StopAsyncIteration:  # so Faust ends a stream
            return
        if not events:
            continue
        batch = Batch([event.message for event in events], table, producer)
        yield batch
        if not batch.is_committed:
            raise AssertionError("a batch was left without commit: its records would be lost")
        consumer.finish(batch.messages)
        for event in events:
            event.ack()
