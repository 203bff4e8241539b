"""A replica of a table, for who only reads it: its changelog followed to databases of this process's own.

It claims nothing and writes nothing to Kafka, so any number of processes may have one, and no owner notices. A start
goes on where the last one ended; a database that is of another changelog, damaged, or so old that it may have missed
deletions begins anew, as an owner's does. Whose records count is decided as owners decide it (``changelog.py``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from aiokafka import ConsumerRecord
from mode import Service

from stream_rec.errors import TopicMismatch
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.changelog import is_claim
from stream_rec.runtime.changelog_topic import ChangelogReader
from stream_rec.runtime.database import Partition
from stream_rec.runtime.misplaced import MARKER
from stream_rec.runtime.takeover import Replay, clear_foreign

log = logging.getLogger(__name__)

RECORDS_AT_ONCE = 500
"""Between two looks at the rest of the process."""
PURGE_S = 2.0
"""How often the bytes of deleted states are taken from the disk."""


class TableReplica(Service):
    """All partitions of one table. Started means: the states of the present are here."""

    def __init__(self, name: str, app_id: str, directory: Path, kafka: KafkaSettings) -> None:
        """Describe the table; nothing is opened before it starts.

        Args:
            directory: Of the process.
        """
        super().__init__()
        self.name = name
        self.n_partitions = kafka.partitions
        self._directory = directory / "replicas" / name
        self._topic = ChangelogReader(name, app_id, kafka)
        self._partitions: dict[int, Partition] = {}
        self._replays: dict[int, Replay] = {}
        """What takes each partition's records; empty before its start and after its end."""
        self._ends: dict[int, int] = {}
        self.n_taken = 0
        """Records that were read at the start."""
        self._one_at_a_time = asyncio.Lock()
        """Its holder closes databases, or has one purged."""

    @property
    def n_open(self) -> int:
        """Offsets that were there at the start and are not read yet."""
        ends, partitions = dict(self._ends), dict(self._partitions)  # it may be asked in another thread
        return sum(max(0, end - partitions[number].seen) for number, end in ends.items() if number in partitions)

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of ``key`` as far as the changelog is read, None where there is none."""
        return self._partitions[partition].get(key)

    async def on_start(self) -> None:
        """Read all that is there.

        Raises:
            NewerVersion: a newer program owns a partition.
            TimeoutError: the broker gave nothing for long.
        """
        began = time.monotonic()
        await self._topic.start()
        n_partitions = self.n_partitions
        ends = await self._topic.end_offsets(range(n_partitions))
        partitions = {number: Partition(self._directory / str(number)) for number in range(n_partitions)}
        self._partitions = partitions
        await clear_foreign(self._topic, partitions, ends)
        self._replays = {n: Replay(n, partition, n_partitions) for n, partition in partitions.items()}
        self._ends = ends
        spans = {number: (partition.seen, ends[number] - 1) for number, partition in partitions.items()}
        async for record in self._topic.records(spans):
            self._take(record)
            self.n_taken += 1
        for number, partition in partitions.items():
            partition.seen = max(partition.seen, ends[number])  # the last offsets may be nobody's record
        self._write()
        self._topic.seek({number: partition.seen for number, partition in partitions.items()})
        log.info(
            "replica_caught_up table=%s records=%d took_ms=%d",
            self.name,
            self.n_taken,
            (time.monotonic() - began) * 1000,
        )

    async def on_stop(self) -> None:
        """Close the databases, and leave the broker."""
        async with self._one_at_a_time:
            self._ends.clear()
            self._replays.clear()
            for partition in self._partitions.values():
                partition.close()
            self._partitions.clear()
        await self._topic.stop()

    @Service.task
    async def _follow(self) -> None:
        while not self.should_stop:
            records = await self._topic.fetch(RECORDS_AT_ONCE)
            if records and self._replays:
                for record in records:
                    self._take(record)
                self._write()
            await asyncio.sleep(0)

    @Service.task
    async def _clean(self) -> None:
        while not self.should_stop:
            await self.sleep(PURGE_S)
            for number in sorted(self._partitions):
                async with self._one_at_a_time:
                    if (partition := self._partitions.get(number)) is not None and partition.is_unpurged:
                        await asyncio.get_running_loop().run_in_executor(None, partition.purge)
                        partition.purged()
                        log.info("purged replica=%s partition=%d", self.name, number)

    def _take(self, record: ConsumerRecord) -> None:
        replay = self._replays[record.partition]
        if record.offset < replay.partition.seen:
            raise TopicMismatch(
                f"{record.topic}[{record.partition}] goes on at {record.offset}, read up to {replay.partition.seen}: "
                "it was made anew"
            )
        replay.take(record)
        if record.value is None and not is_claim(record.key) and not record.key.startswith(MARKER):
            replay.partition.owe_purge()

    def _write(self) -> None:
        """Write what was taken. What a former owner wrote late is the owner's to overwrite: it is not waited for."""
        for replay in self._replays.values():
            if replay.partition.seen != replay.partition.meta.next_offset:
                replay.partition.release()
                replay.write()
