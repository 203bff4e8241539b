"""Partitions of a table are taken over from whoever had them: their changelog is read, and from then on it is ours.

1. Write a mark to each changelog, and read up to it, from where the local database ends if that belongs to this
   changelog. The mark is a record that nothing takes away meanwhile: reading always comes to an end.
2. Claim the partition (``changelog.py``), and read up to the claim. Were two to claim at once, one tries again.

What a process has overwritten that had lost the partition is known then, and is the owner's to write back
(``changelog_writer.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aiokafka import ConsumerRecord

from stream_rec.errors import NewerVersion, Superseded
from stream_rec.events.rejected import Origin
from stream_rec.runtime import changelog
from stream_rec.runtime.changelog import Reading
from stream_rec.runtime.changelog_topic import ChangelogReader, ChangelogTopic
from stream_rec.runtime.database import FRESH_MS, NEW, Partition, now_ms
from stream_rec.runtime.misplaced import REMEDY, Misplaced
from stream_rec.runtime.newer_version import refuse_newer_version

log = logging.getLogger(__name__)

TRIES = 3
"""Claims of one process against another's before it gives up."""
WRITE_BYTES = 16 << 20
"""Of states read from the changelog before they are written to RocksDB."""


async def take_over(topic: ChangelogTopic, partitions: Mapping[int, Partition]) -> int:
    """Bring some partitions' databases up to date and claim them; return how many records were read.

    Raises:
        Superseded: another process keeps claiming one of them.
        NewerVersion: a newer program owns one of them.
    """
    marks = await topic.write_claims(dict.fromkeys(partitions, 0))
    await clear_foreign(topic, partitions, marks)
    replays = {number: Replay(number, partition, topic.n_partitions) for number, partition in partitions.items()}
    n_records = await _read(topic, replays, marks)
    unclaimed = replays
    for _ in range(TRIES):
        epochs = {number: replay.reading.claim.epoch + 1 for number, replay in unclaimed.items()}
        n_records += await _read(topic, unclaimed, await topic.write_claims(epochs))
        unclaimed = {n: replay for n, replay in unclaimed.items() if replay.reading.claim.owner != topic.owner}
        if not unclaimed:
            break
    else:
        raise Superseded(f"partitions {sorted(unclaimed)} of {topic.topic} are claimed by another process")
    _warn_of_misplaced(topic, {number: replay.misplaced for number, replay in replays.items()})
    return n_records


class Replay:
    """Takes one partition's changelog, record by record, to its database."""

    def __init__(self, number: int, partition: Partition, n_partitions: int) -> None:
        """Begin where the database ends.

        Args:
            n_partitions: Of the changelog, to tell where keys belong.
        """
        self.reading = Reading(partition.meta.claim)
        self.misplaced = Misplaced(n_partitions)
        self.partition = partition
        self._number = number
        self._claim_offset = partition.meta.claim_offset
        self._values: dict[bytes, bytes | None] = {}
        self._n_bytes = 0

    def take(self, record: ConsumerRecord) -> None:
        """Take the next record.

        Raises:
            NewerVersion: a newer program owns the partition.
        """
        partition, key, before = self.partition, record.key, self.reading.claim
        try:
            counts = self.reading.counts(key, record.value, record.headers)
        except NewerVersion as error:
            refuse_newer_version(Origin(record.topic, record.partition, record.offset), error)
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
            partition.mark_overwritten(key, record.offset)

    def write(self) -> None:
        """Write what was taken since the last time."""
        claim = self.reading.claim
        self.misplaced.take(self._number, self._values)
        self.partition.write(
            self._values.items(), claim_offset=self._claim_offset, epoch=claim.epoch, owner=claim.owner
        )
        self._values.clear()
        self._n_bytes = 0


async def _read(topic: ChangelogTopic, replays: Mapping[int, Replay], ends: Mapping[int, int]) -> int:
    """Read the changelog up to and including these offsets; return how many records that took."""
    n_records = 0
    async for record in topic.records({number: (replays[number].partition.seen, end) for number, end in ends.items()}):
        replays[record.partition].take(record)
        n_records += 1
    for number in ends:
        replays[number].write()
    return n_records


async def clear_foreign(topic: ChangelogReader, partitions: Mapping[int, Partition], ends: Mapping[int, int]) -> None:
    """Empty the databases that are not of this changelog, or so old that they may have missed deletions.

    A database is of this changelog if the claim under which it was written last still stands where it says.
    """
    metas = {number: partitions[number].meta for number in ends}
    whys: dict[int, str] = {}
    for number, meta in metas.items():
        if meta.next_offset > ends[number]:
            whys[number] = "the changelog is shorter"
        elif meta is not NEW and now_ms() - meta.written_ms > FRESH_MS:
            whys[number] = "it is too old"
    spans = {n: (m.claim_offset, m.claim_offset) for n, m in metas.items() if n not in whys and m.claim_offset >= 0}
    claims = {record.partition: record.value async for record in topic.records(spans)}
    whys |= {n: "it is of another changelog" for n in spans if claims.get(n) != metas[n].claim.value}
    for number, why in whys.items():
        partitions[number].clear(why)


def _warn_of_misplaced(topic: ChangelogTopic, misplaced: Mapping[int, Misplaced]) -> None:
    if n_misplaced := sum(map(len, misplaced.values())):
        log.warning(
            "misplaced_states table=%s partitions=%s keys=%d why=%s",
            topic.table,
            ",".join(str(number) for number, keys in sorted(misplaced.items()) if keys),
            n_misplaced,
            REMEDY,
        )
