"""A mirror: the newest record of each key of some topics, on this process's disk, with how far the topics are in it.

A process that follows whole topics (``topic_follower.py``) reads its mirror when it starts, and then only what has come
since: a topic holds many records of a key until the broker compacts it, and the mirror one. All that is in it is in the
topics too, so it is dropped, and made anew, whenever it may not be what the topics would say: a topic was deleted and
made again, or is another cluster's; the log begins behind or ends before the place where the mirror ends; it has not
been written for so long that it may have missed deletions; it is damaged, or of another version.

It is written every two seconds, values and places in one batch, so that after ``kill -9`` it is as it once was.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import rocksdict
from aiokafka import ConsumerRecord, TopicPartition

from stream_rec.errors import StateVersionError
from stream_rec.events.codec import EventTime, Offset, decode_versioned
from stream_rec.runtime import rocks
from stream_rec.runtime.database import FRESH_MS, now_ms
from stream_rec.runtime.rocks import batch_of, open_database

log = logging.getLogger(__name__)

FOLDER = "mirror"
VERSION = 1
PURGE_MS = 12 * 3_600_000
"""How long the disk may hold what was overwritten, traces of forgotten users among it: the topics have a day."""
MOST_BYTES = 8 << 20
"""Of records that are not written yet."""
CACHE_BYTES = 1 << 20
"""Blocks are read once, at the start: a mirror needs no cache."""
_META_KEY = b"\0meta"
_PLACE_BYTES = 16


class Meta(msgspec.Struct, array_like=True, frozen=True):
    """What a mirror says of itself."""

    version: int
    topic_ids: dict[str, str]
    """By topic, the id that the cluster gave it when it was made."""
    next_offsets: dict[str, dict[Annotated[int, msgspec.Meta(ge=0, le=2**31)], Offset]]
    """By topic and partition: every record before this offset is in the mirror, or overwritten."""
    written_ms: EventTime
    purged_ms: EventTime


def read_meta(data: bytes) -> Meta:
    """Return what a mirror says of itself.

    Raises:
        StateVersionError: another program wrote it, or it is damaged: the topics have all that it holds.
    """
    return decode_versioned(data, _META, what="mirror", version=VERSION)


class Batch(NamedTuple):
    """What changes in a mirror at once."""

    changed: dict[bytes, bytes | None]
    """None deletes."""
    next_offsets: dict[TopicPartition, int]


def mirror(directory: Path, topic_ids: Mapping[str, str], topics: Collection[str]) -> Mirror | None:
    """Return a process's mirror of these topics; None where the cluster does not tell topics of one name apart.

    Args:
        directory: Of the process.
        topic_ids: By topic, the id that the cluster gave it.
    """
    known = {topic: topic_ids[topic] for topic in topics if topic in topic_ids}
    return Mirror(directory / FOLDER, known) if set(known) == set(topics) else None


class Mirror:
    """One process's copy of its topics. A disk that fails costs the mirror, never the process."""

    def __init__(self, directory: Path, topic_ids: Mapping[str, str]) -> None:
        """Open it, made anew where it is not of these topics, too old, damaged, or missing.

        Args:
            topic_ids: By topic, what the cluster calls it.
        """
        self._directory = directory
        self._topics = sorted(topic_ids)
        self._numbers = {topic: number for number, topic in enumerate(self._topics)}
        self._new = Meta(VERSION, dict(topic_ids), {}, written_ms=0, purged_ms=0)
        self._meta = self._new
        self._db: rocksdict.Rdict | None = None
        self._changed: dict[bytes, bytes | None] = {}
        self._n_bytes = 0
        self._next: dict[TopicPartition, int] = {}
        self._storing = threading.Lock()
        """Its holder writes: at the end one may still be at it whose caller was cancelled."""
        self._open()

    @property
    def next_offsets(self) -> dict[TopicPartition, int]:
        """By partition, the offset from which the mirror lacks what the topic has."""
        return dict(self._next)

    @property
    def is_full(self) -> bool:
        """Whether so much is waiting that it should be written."""
        return self._n_bytes >= MOST_BYTES

    def fits(self, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> bool:
        """Return whether the topics go on where the mirror ends; else it is made anew.

        Args:
            begins, ends: Offsets of the first record of each partition, and after the last one.
        """
        for tp, next_offset in self._next.items():
            begin, end = begins.get(tp, 0), ends.get(tp, 0)
            if not begin <= next_offset <= end:
                self.clear(f"{tp.topic}[{tp.partition}] has {begin} to {end}, the mirror goes to {next_offset}")
                return False
        return True

    def records(self) -> Iterator[ConsumerRecord]:
        """Return the newest record of each key, of each partition in the order of offsets.

        Raises:
            Exception: a block cannot be read; ``clear`` then.
        """
        if self._db is None:
            return
        for tp in sorted(self._next):
            prefix = self._prefix(tp.topic, tp.partition)
            found, cursor = [], self._db.iter()
            cursor.seek(prefix)
            while cursor.valid() and (key := cursor.key()).startswith(prefix):
                found.append((cursor.value(), key[len(prefix) :]))
                cursor.next()
            cursor.status()
            found.sort(key=lambda entry: entry[0][:_PLACE_BYTES])
            for value, key in found:
                offset, timestamp = int.from_bytes(value[:8]), int.from_bytes(value[8:_PLACE_BYTES])
                size = len(value) - _PLACE_BYTES
                yield ConsumerRecord(
                    *(tp.topic, tp.partition, offset, timestamp, 0, key, value[_PLACE_BYTES:]),
                    *(None, len(key), size, ()),
                )

    def take(self, record: ConsumerRecord) -> None:
        """Take the next record of a partition; it is on the disk with the next ``store``."""
        if self._db is None:
            return
        self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1
        if record.key is None:
            return
        key = self._prefix(record.topic, record.partition) + record.key
        value = None
        if record.value is not None:
            value = record.offset.to_bytes(8) + max(0, record.timestamp).to_bytes(8) + record.value
        self._changed[key] = value
        self._n_bytes += len(key) + len(value or b"")

    def collect(self) -> Batch:
        """Return what was taken since the last time, to be given to ``store``."""
        batch = Batch(self._changed, dict(self._next))
        self._changed, self._n_bytes = {}, 0
        return batch

    def store(self, batch: Batch) -> None:
        """Write a batch; now and then take from the disk what was overwritten. May take long, in any thread."""
        with self._storing:
            if self._db is not None and batch.changed:
                self._store(self._db, batch)

    def _store(self, db: rocksdict.Rdict, batch: Batch) -> None:
        now = now_ms()
        next_offsets: dict[str, dict[int, int]] = defaultdict(dict)
        for tp, offset in batch.next_offsets.items():
            next_offsets[tp.topic][tp.partition] = offset
        meta = msgspec.structs.replace(self._meta, next_offsets=dict(next_offsets), written_ms=now)
        is_due = abs(now - meta.purged_ms) > PURGE_MS
        if is_due:
            meta = msgspec.structs.replace(meta, purged_ms=now)
        try:
            if is_due:
                rocks.purge(db)
            db.write(batch_of([*batch.changed.items(), (_META_KEY, msgspec.msgpack.encode(meta))]))
            self._meta = meta
        except Exception as error:
            log.warning("gave_up_mirror path=%s why=%s", self._directory, error)
            self._remove()

    def clear(self, why: str) -> None:
        """Begin anew, empty."""
        log.warning("removed_mirror path=%s why=%s", self._directory, why)
        self._remove()
        self._open()

    def close(self) -> None:
        """Write what is left, and leave it to the next start."""
        self.store(self.collect())
        with self._storing:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _open(self) -> None:
        """Open what is there; what is not as it should be is removed, and begun anew."""
        for is_last in (False, True):
            try:
                self._db = open_database(self._directory, cache=rocksdict.Cache(CACHE_BYTES))
                self._require_good(self._db)
                return
            except Exception as error:
                log.warning("removed_mirror path=%s why=%s", self._directory, error)
                self._remove()
                if is_last:
                    log.warning("gave_up_mirror path=%s why=%s", self._directory, error)

    def _require_good(self, db: rocksdict.Rdict) -> None:
        """Take over what the database says of itself.

        Raises:
            StateVersionError: it is no mirror of these topics as they are now.
        """
        stored = db.get(_META_KEY)
        if stored is None:
            self._meta = msgspec.structs.replace(self._new, purged_ms=now_ms())
            return
        meta = read_meta(stored)
        age_ms = now_ms() - meta.written_ms
        if meta.topic_ids != self._new.topic_ids:
            raise StateVersionError("it is of other topics, or they were made anew")
        if abs(age_ms) > FRESH_MS:
            raise StateVersionError(f"it was written {age_ms / 86_400_000:.1f} days ago: deletions may be missing")
        self._meta = meta
        self._next = {
            TopicPartition(topic, partition): offset
            for topic, offsets in meta.next_offsets.items()
            for partition, offset in offsets.items()
        }

    def _remove(self) -> None:
        """Close and remove it: nothing of it counts any more, and nothing is written until it is opened again."""
        if self._db is not None:
            with suppress(Exception):
                self._db.close()
            self._db = None
        self._changed, self._n_bytes, self._next = {}, 0, {}
        shutil.rmtree(self._directory, ignore_errors=True)

    def _prefix(self, topic: str, partition: int) -> bytes:
        return (self._numbers[topic] + 1).to_bytes(1) + partition.to_bytes(4)


_META = msgspec.msgpack.Decoder(Meta)
