"""What the owner of partitions writes: states to the changelog, then to RocksDB; late writes of others are overwritten.

While a partition is owned, nobody else writes to it. Offsets tell: those of our own records have no gaps. In a gap is
what a process wrote that had lost the partition; it is overwritten with what the table holds, long before compaction.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping

from stream_rec.errors import NewerVersion, Superseded
from stream_rec.events.rejected import Origin
from stream_rec.runtime import changelog
from stream_rec.runtime.changelog_topic import ChangelogTopic, State
from stream_rec.runtime.database import Partition
from stream_rec.runtime.newer_version import refuse_newer_version

log = logging.getLogger(__name__)


class ChangelogWriter:
    """Writes to the partitions that this process owns. One call at a time: the caller sees to that."""

    def __init__(self, topic: ChangelogTopic, partitions: Mapping[int, Partition]) -> None:
        """Write to ``topic`` and to whatever ``partitions`` hold at the time."""
        self._topic = topic
        self._partitions = partitions

    async def write(self, states: Iterable[State]) -> None:
        """Return when the changelog has acknowledged the states and they are in RocksDB: never ahead of it.

        Raises:
            KafkaError: the broker did not take something: the process must end.
            Superseded: another process owns a partition: likewise.
            ClockOff: the broker's time is another: likewise.
        """
        await self._put(states)
        await self.write_back()

    async def check(self) -> None:
        """Look for records of others behind our own last ones, and overwrite them.

        Raises:
            Superseded: another process owns a partition: this one must end.
        """
        if not self._partitions:
            return
        ends = await self._topic.end_offsets(self._partitions)
        gaps = {number: range(partition.seen, ends[number]) for number, partition in self._partitions.items()}
        await self._inspect({number: gap for number, gap in gaps.items() if gap})
        for number, gap in gaps.items():
            self._partitions[number].seen = gap.stop
        await self.write_back()

    async def write_back(self) -> None:
        """Overwrite with what the table holds what others wrote."""
        while late := {n: sorted(p.overwritten) for n, p in self._partitions.items() if p.overwritten}:
            states = [State(n, key, self._partitions[n].get(key)) for n, keys in late.items() for key in keys]
            log.warning("overwrote_late_writes table=%s keys=%d", self._topic.table, len(states))
            for number in late:
                self._partitions[number].release()
            await self._put(states)

    async def _put(self, states: Iterable[State]) -> None:
        """Write states to the changelog, then to RocksDB, unless another process owns the partition by now."""
        states = list(states)
        values: dict[int, list[tuple[bytes, bytes | None]]] = defaultdict(list)
        offsets: dict[int, list[int]] = defaultdict(list)
        for state, record in zip(states, await self._topic.send(states)):
            values[state.partition].append((state.key, state.value))
            offsets[state.partition].append(record.offset)
        spans = {number: range(self._partitions[number].seen, max(found) + 1) for number, found in offsets.items()}
        await self._inspect({number: span for number, span in spans.items() if len(span) != len(offsets[number])})
        for number, span in spans.items():
            self._partitions[number].seen = span.stop
            self._partitions[number].write(values[number])

    async def _inspect(self, gaps: Mapping[int, range]) -> None:
        """Note what others wrote at these offsets."""
        async for record in self._topic.records({number: (gap.start, gap.stop - 1) for number, gap in gaps.items()}):
            if changelog.owner_of(record.headers) == self._topic.owner:
                continue
            partition = self._partitions[record.partition]
            if not changelog.is_claim(record.key):
                partition.mark_overwritten(record.key, record.offset)
                continue
            try:
                claim = changelog.claim_of(record.value)
            except NewerVersion as error:
                refuse_newer_version(Origin(record.topic, record.partition, record.offset), error)
            if claim.epoch > partition.meta.epoch:
                raise Superseded(
                    f"partition {record.partition} of {self._topic.topic} was claimed by another process: this one was "
                    "paused for too long, or another runs under its instance_id"
                )
