"""A table: one RocksDB database for each partition that this process owns, and the changelog that outlives them all.

Faust's own tables recover at a tenth of the speed, wait for ever for a last record that compaction has taken, and let a
process that was paused overwrite its successor's states (docs/concepts/architecture.md). So a partition is taken over:

1. Write a mark to its changelog, and read up to it, from where the local database ends if that belongs to this
   changelog. The mark is a record that nothing takes away meanwhile: reading always comes to an end.
2. Claim the partition (``changelog.py``), and read up to the claim. Were two to claim at once, one tries again.
3. Write back what a process that had lost the partition has overwritten.

While it is owned, nobody else writes to it. Offsets tell: those of our own records have no gaps. In a gap is what a
process wrote that had lost the partition; it is overwritten with what the table holds, long before compaction.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.structs import RecordMetadata
from mode import Service

from stream_rec.errors import NewerVersion, StreamRecError
from stream_rec.events.codec import version_of
from stream_rec.events.rejected import Origin
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime import changelog
from stream_rec.runtime.changelog import OWNER_BYTES, OWNER_HEADER, Claim, Reading
from stream_rec.runtime.clients import new_reader
from stream_rec.runtime.clock import require_same_time
from stream_rec.runtime.database import FRESH_MS, NEW, Partition, now_ms
from stream_rec.runtime.misplaced import REMEDY, Misplaced
from stream_rec.runtime.newer import refused

log = logging.getLogger(__name__)

POLL_MS = 200
RECORDS_AT_ONCE = 5_000
WRITE_BYTES = 16 << 20
"""Of states read from the changelog before they are written to RocksDB."""
STALL_S = 30.0
"""After so long without a record, reading has failed: the process ends and is started again."""
CHECK_S = 10.0
"""How often the changelog is looked at for records of others, where no batch has done so."""
PURGE_S = 2.0
"""How often the bytes of deleted keys are taken from the disk."""
LOG_APPEND_TIME = 1
"""What Kafka calls timestamps that are the broker's."""
TRIES = 3
"""Claims of one process against another's before it gives up."""


class State(NamedTuple):
    """One new value of a table; None deletes."""

    partition: int
    key: bytes
    value: bytes | None


class Superseded(StreamRecError):
    """Another process has claimed a partition that this one thinks is its own: see that no two have one instance id."""

    exit_code = 1


class Load:
    """Takes one partition's changelog, record by record, to its database."""

    def __init__(self, number: int, partition: Partition, n_partitions: int) -> None:
        self.reading = Reading(partition.meta.claim)
        self.misplaced = Misplaced(n_partitions)
        self._number = number
        self._partition = partition
        self._claim_offset = partition.meta.claim_offset
        self._values: dict[bytes, bytes | None] = {}
        self._n_bytes = 0

    def take(self, record: ConsumerRecord) -> None:
        """Take the next record.

        Raises:
            NewerVersion: a newer program owns the partition.
        """
        partition, key, before = self._partition, record.key, self.reading.claim
        try:
            counts = self.reading.counts(key, record.value, record.headers)
        except NewerVersion as error:
            raise refused(Origin(record.topic, record.partition, record.offset), error) from error
        partition.seen = record.offset + 1
        if counts:
            self._values[key] = record.value
            self._n_bytes += len(key) + len(record.value or b"")
            partition.overwritten.discard(key)
            if self._n_bytes > WRITE_BYTES:
                self.write()
        elif self.reading.claim is not before:
            self._claim_offset = record.offset
        elif not changelog.is_claim(key):
            partition.overwritten.add(key)
            partition.unsettle(record.offset)

    def write(self) -> None:
        """Write what was taken since the last time."""
        claim = self.reading.claim
        self.misplaced.take(self._number, self._values)
        self._partition.write(
            self._values.items(), claim_offset=self._claim_offset, epoch=claim.epoch, owner=claim.owner
        )
        self._values.clear()
        self._n_bytes = 0


class Table(Service):
    """The partitions that this process owns of one table. Start it before the app."""

    def __init__(
        self,
        name: str,
        app_id: str,
        directory: Path,
        producer: AIOKafkaProducer,
        kafka: KafkaSettings,
        *,
        versions: Mapping[bytes, int] | None = None,
    ) -> None:
        """Describe the table; nothing is opened before ``own``.

        Args:
            versions: By how keys begin, the longest first, the newest version of values that this program reads.
        """
        super().__init__()
        self.name = name
        self._topic = kafka.topic(f"{app_id}-{name}-changelog")
        self._directory = directory / "tables" / name
        self._producer = producer
        self._kafka = kafka
        self._versions = versions or {}
        self._reader: AIOKafkaConsumer | None = None
        self._owner = os.urandom(OWNER_BYTES)
        self._headers = [(OWNER_HEADER, self._owner)]
        self._partitions: dict[int, Partition] = {}
        self._one_at_a_time = asyncio.Lock()
        """Its holder writes to the changelog and to RocksDB, so that no other comes between the two."""

    async def on_start(self) -> None:
        """Connect."""
        # Nothing of ours is in a transaction; what a stranger left open here would stop reading at its first record.
        self._reader = new_reader(self._kafka, sees_open=True)
        await self._reader.start()

    async def on_stop(self) -> None:
        """Close the databases."""
        async with self._one_at_a_time:
            for partition in self._partitions.values():
                partition.close()
            self._partitions.clear()
        await self._reader.stop()

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(CHECK_S)
            await self.check()

    @Service.task
    async def _clean(self) -> None:
        while not self.should_stop:
            await self.sleep(PURGE_S)
            for number in sorted(self._partitions):
                async with self._one_at_a_time:  # it may not be given up meanwhile
                    if (partition := self._partitions.get(number)) is not None and partition.is_unpurged:
                        await asyncio.get_running_loop().run_in_executor(None, partition.purge)
                        partition.purged()
                        log.info("purged table=%s partition=%d", self.name, number)

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of ``key``, None where there is none.

        Raises:
            NewerVersion: a newer program wrote it: this one must end, for it could only destroy it.
        """
        value = self._partitions[partition].get(key)
        if value is not None:
            self._require_readable(partition, key, value)
        return value

    def scan(self, partition: int, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Return all keys of a partition that begin with ``prefix``, and their values; raises as ``read`` does."""
        found = self._partitions[partition].scan(prefix)
        for key, value in found:
            self._require_readable(partition, key, value)
        return found

    def purge(self, partition: int) -> None:
        """Have the bytes of deleted keys taken from the disk, too, within some seconds, or soon after a crash."""
        self._partitions[partition].owe_purge()

    async def own(self, numbers: set[int]) -> None:
        """Take these partitions over, give all others up; return when their states are here.

        Raises:
            Superseded: another process keeps claiming one of them.
        """
        async with self._one_at_a_time:
            began = time.monotonic()
            for number in set(self._partitions) - numbers:
                self._partitions.pop(number).close()
            await asyncio.get_running_loop().run_in_executor(None, self._remove_others, numbers)
            for number in numbers - set(self._partitions):
                self._partitions[number] = Partition(self._directory / str(number))
            marks = await self._write_claims(dict.fromkeys(numbers, 0))
            await self._clear_foreign(marks)
            loads = {number: Load(number, self._partitions[number], self._kafka.partitions) for number in numbers}
            misplaced = {number: load.misplaced for number, load in loads.items()}
            n_records = await self._load(loads, marks)
            for _ in range(TRIES):
                claims = await self._write_claims({n: load.reading.claim.epoch + 1 for n, load in loads.items()})
                n_records += await self._load(loads, claims)
                loads = {n: load for n, load in loads.items() if load.reading.claim.owner != self._owner}
                if not loads:
                    break
            else:
                raise Superseded(f"partitions {sorted(loads)} of {self._topic} are claimed by another process")
            await self._write_back()
            if n_misplaced := sum(map(len, misplaced.values())):
                log.warning(
                    "misplaced_states table=%s partitions=%s keys=%d why=%s",
                    self.name,
                    ",".join(str(number) for number, keys in sorted(misplaced.items()) if keys),
                    n_misplaced,
                    REMEDY,
                )
            log.info(
                "owns table=%s partitions=%s records=%d took_ms=%d",
                self.name,
                ",".join(map(str, sorted(numbers))) or "none",
                n_records,
                (time.monotonic() - began) * 1000,
            )

    async def commit(self, states: Iterable[State]) -> None:
        """Return when the changelog has acknowledged the states and they are in RocksDB: never ahead of it.

        Raises:
            KafkaError: the broker did not take something: the process must end.
            Superseded: another process owns a partition: likewise.
            ClockOff: the broker's time is another: likewise.
        """
        async with self._one_at_a_time:
            await self._put(states)
            await self._write_back()

    async def sweep(
        self, number: int, prefix: bytes, is_over: Callable[[bytes], bool], *, first: bytes | None, most: int
    ) -> tuple[bytes | None, int]:
        """Delete those of a partition's next ``most`` keys that begin with ``prefix`` whose values are over.

        Args:
            first: Where to begin; None for the first of all.

        Returns:
            Where to go on, None after the last; and how many were deleted.

        Raises:
            as ``read`` and ``commit``.
        """
        async with self._one_at_a_time:
            if (partition := self._partitions.get(number)) is None:  # given up meanwhile
                return None, 0
            found = partition.scan(prefix, first=first, most=most)
            for key, value in found:
                self._require_readable(number, key, value)
            over = [State(number, key, None) for key, value in found if is_over(value)]
            if over:
                await self._put(over)
                await self._write_back()
            return found[-1][0] + b"\0" if len(found) == most else None, len(over)

    @property
    def partitions(self) -> list[int]:
        """Those that this process owns."""
        return sorted(self._partitions)

    async def check(self) -> None:
        """Look for records of others behind our own last ones, and overwrite them.

        Raises:
            Superseded: another process owns a partition: this one must end.
        """
        async with self._one_at_a_time:
            if not self._partitions:
                return
            ends = await self._reader.end_offsets([self._source(number) for number in self._partitions])
            gaps = {n: range(p.seen, ends[self._source(n)]) for n, p in self._partitions.items()}
            await self._inspect({number: gap for number, gap in gaps.items() if gap})
            for number, gap in gaps.items():
                self._partitions[number].seen = gap.stop
            await self._write_back()

    def _remove_others(self, numbers: set[int]) -> None:
        """Remove databases of partitions that are somebody else's: users who are deleted there would stay here."""
        if self._directory.exists():
            for directory in self._directory.iterdir():
                if directory.name not in map(str, numbers):
                    shutil.rmtree(directory)

    def _require_readable(self, partition: int, key: bytes, value: bytes) -> None:
        newest = next((version for begin, version in self._versions.items() if key.startswith(begin)), None)
        if newest is not None and (written := version_of(value)) > newest:
            raise refused(
                f"{self._topic}[{partition}] key={key.decode(errors='backslashreplace')!r}",
                f"{self.name} has version {written}, this program reads up to {newest}: update it",
            )

    def _source(self, number: int) -> TopicPartition:
        return TopicPartition(self._topic, number)

    async def _send(self, states: Iterable[State]) -> list[RecordMetadata]:
        """Send all; return what the broker says of each.

        Raises:
            ClockOff: by that this machine's clock is wrong, or the broker's is: what else is sent would be lost.
        """
        futures = [
            await self._producer.send(
                self._topic, state.value, key=state.key, partition=state.partition, headers=self._headers
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

    async def _write_claims(self, epochs: dict[int, int]) -> dict[int, int]:
        """Claim partitions with these epochs; return the claims' offsets."""
        claims = {number: Claim(epoch, self._owner) for number, epoch in epochs.items()}
        records = await self._send([State(number, claim.key, claim.value) for number, claim in claims.items()])
        return {record.partition: record.offset for record in records}

    async def _put(self, states: Iterable[State]) -> None:
        """Write states to the changelog, then to RocksDB, unless another process owns the partition by now."""
        states = list(states)
        values: dict[int, list[tuple[bytes, bytes | None]]] = defaultdict(list)
        offsets: dict[int, list[int]] = defaultdict(list)
        for state, record in zip(states, await self._send(states)):
            values[state.partition].append((state.key, state.value))
            offsets[state.partition].append(record.offset)
        spans = {number: range(self._partitions[number].seen, max(found) + 1) for number, found in offsets.items()}
        await self._inspect({number: span for number, span in spans.items() if len(span) != len(offsets[number])})
        for number, span in spans.items():
            self._partitions[number].seen = span.stop
            self._partitions[number].write(values[number])

    async def _inspect(self, gaps: dict[int, range]) -> None:
        """Note what others wrote at these offsets."""
        async for record in self._records({number: (gap.start, gap.stop - 1) for number, gap in gaps.items()}):
            if changelog.owner_of(record.headers) == self._owner:
                continue
            partition = self._partitions[record.partition]
            if not changelog.is_claim(record.key):
                partition.overwritten.add(record.key)
                partition.unsettle(record.offset)
                continue
            try:
                claim = changelog.claim_of(record.value)
            except NewerVersion as error:
                raise refused(Origin(record.topic, record.partition, record.offset), error) from error
            if claim.epoch > partition.meta.epoch:
                raise Superseded(
                    f"partition {record.partition} of {self._topic} was claimed by another process: this one was "
                    "paused for too long, or another runs under its instance_id"
                )

    async def _write_back(self) -> None:
        """Overwrite with what the table holds what others wrote."""
        while late := {n: sorted(p.overwritten) for n, p in self._partitions.items() if p.overwritten}:
            states = [State(n, key, self._partitions[n].get(key)) for n, keys in late.items() for key in keys]
            log.warning("overwrote_late_writes table=%s keys=%d", self.name, len(states))
            for number in late:
                self._partitions[number].settle()
            await self._put(states)

    async def _load(self, loads: dict[int, Load], ends: dict[int, int]) -> int:
        """Read the changelog up to and including these offsets; return how many records that took."""
        n_records = 0
        async for record in self._records({n: (self._partitions[n].seen, end) for n, end in ends.items()}):
            loads[record.partition].take(record)
            n_records += 1
        for number in ends:
            loads[number].write()
        return n_records

    async def _clear_foreign(self, ends: dict[int, int]) -> None:
        """Empty the databases that are not of this changelog, or so old that they may have missed deletions.

        A database is of this changelog if the claim under which it was written last still stands where it says.
        """
        metas = {number: self._partitions[number].meta for number in ends}
        whys: dict[int, str] = {}
        for number, meta in metas.items():
            if meta.next_offset > ends[number]:
                whys[number] = "the changelog is shorter"
            elif meta is not NEW and now_ms() - meta.written_ms > FRESH_MS:
                whys[number] = "it is too old"
        spans = {n: (m.claim_offset,) * 2 for n, m in metas.items() if n not in whys and m.claim_offset >= 0}
        claims = {record.partition: record.value async for record in self._records(spans)}
        whys |= {n: "it is of another changelog" for n in spans if claims.get(n) != metas[n].claim.value}
        for number, why in whys.items():
            self._partitions[number].clear(why)

    async def _records(self, spans: dict[int, tuple[int, int]]) -> AsyncIterator[ConsumerRecord]:
        """Yield what there is of some partitions, from the first to the last offset of each span.

        Raises:
            TimeoutError: nothing came for ``STALL_S``.
        """
        last_of = {number: last for number, (first, last) in spans.items() if first <= last}
        if not last_of:
            return
        self._reader.assign([self._source(number) for number in last_of])
        for number in last_of:
            self._reader.seek(self._source(number), spans[number][0])
        heard_at = time.monotonic()
        while last_of:
            fetched = await self._reader.getmany(timeout_ms=POLL_MS, max_records=RECORDS_AT_ONCE)
            for source, records in fetched.items():
                heard_at = time.monotonic()
                for record in records:
                    if record.offset <= last_of.get(source.partition, -1):
                        yield record
            for number in list(last_of):
                if await self._reader.position(self._source(number)) > last_of[number]:
                    del last_of[number]
                    self._reader.pause(self._source(number))
            if time.monotonic() - heard_at > STALL_S:
                raise TimeoutError(f"{self._topic}: nothing came for {STALL_S:.0f} s of partitions {sorted(last_of)}")
            await asyncio.sleep(0)
