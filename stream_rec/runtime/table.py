"""A table: one RocksDB database for each partition that this process owns, and the changelog that outlives them all.

Faust's own tables recover at a tenth of the speed, wait for ever for a last record that compaction has taken, and let a
process that was paused overwrite its successor's states (docs/concepts/exactly-once.md). Here partitions are taken over
(``takeover.py``), and then served: read, and written to the changelog first (``changelog_writer.py``).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from aiokafka import AIOKafkaProducer
from mode import Service

from stream_rec.events.codec import version_of
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.changelog_topic import ChangelogTopic, State
from stream_rec.runtime.changelog_writer import ChangelogWriter
from stream_rec.runtime.database import Partition
from stream_rec.runtime.newer_version import refuse_newer_version
from stream_rec.runtime.takeover import take_over

log = logging.getLogger(__name__)

CHECK_S = 10.0
"""How often the changelog is looked at for records of others, where no batch has done so."""
PURGE_S = 2.0
"""How often the bytes of deleted keys are taken from the disk."""


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
        self._directory = directory / "tables" / name
        self._versions = versions or {}
        self._partitions: dict[int, Partition] = {}
        self._topic = ChangelogTopic(name, app_id, producer, kafka)
        self._writer = ChangelogWriter(self._topic, self._partitions)
        self._one_at_a_time = asyncio.Lock()
        """Its holder writes to the changelog and to RocksDB, so that no other comes between the two."""

    async def on_start(self) -> None:
        """Connect."""
        await self._topic.start()

    async def on_stop(self) -> None:
        """Close the databases."""
        async with self._one_at_a_time:
            for partition in self._partitions.values():
                partition.close()
            self._partitions.clear()
        await self._topic.stop()

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

    @property
    def partitions(self) -> list[int]:
        """Those that this process owns."""
        return sorted(self._partitions)

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
            n_records = await take_over(self._topic, self._partitions)
            await self._writer.write_back()
            log.info(
                "owns table=%s partitions=%s records=%d took_ms=%d",
                self.name,
                ",".join(map(str, sorted(numbers))) or "none",
                n_records,
                (time.monotonic() - began) * 1000,
            )

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

    async def commit(self, states: Iterable[State]) -> None:
        """Return when the changelog has acknowledged the states and they are in RocksDB: never ahead of it.

        Raises:
            KafkaError: the broker did not take something: the process must end.
            Superseded: another process owns a partition: likewise.
            ClockOff: the broker's time is another: likewise.
        """
        async with self._one_at_a_time:
            await self._writer.write(states)

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
                await self._writer.write(over)
            return found[-1][0] + b"\0" if len(found) == most else None, len(over)

    def purge(self, partition: int) -> None:
        """Have the bytes of deleted keys taken from the disk, too, within some seconds, or soon after a crash."""
        self._partitions[partition].owe_purge()

    async def check(self) -> None:
        """Look for records of others behind our own last ones, and overwrite them.

        Raises:
            Superseded: another process owns a partition: this one must end.
        """
        async with self._one_at_a_time:
            await self._writer.check()

    def _remove_others(self, numbers: set[int]) -> None:
        """Remove databases of partitions that are somebody else's: users who are deleted there would stay here."""
        if self._directory.exists():
            for directory in self._directory.iterdir():
                if directory.name not in map(str, numbers):
                    shutil.rmtree(directory)

    def _require_readable(self, partition: int, key: bytes, value: bytes) -> None:
        newest = next((version for begin, version in self._versions.items() if key.startswith(begin)), None)
        if newest is not None and (written := version_of(value)) > newest:
            refuse_newer_version(
                f"{self._topic.topic}[{partition}] key={key.decode(errors='backslashreplace')!r}",
                f"{self.name} has version {written}, this program reads up to {newest}: update it",
            )
