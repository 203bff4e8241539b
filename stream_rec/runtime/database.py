"""One partition's database: RocksDB, with a word on how far its changelog is in it."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import rocksdict

from stream_rec.events.codec import EventTime, Offset, decode_versioned
from stream_rec.runtime import rocks
from stream_rec.runtime.changelog import MOST_CLAIMS, NOBODY, OWNER_BYTES, Claim
from stream_rec.runtime.rocks import batch_of, open_database

log = logging.getLogger(__name__)

DAMAGED = "damaged"
"""A file of this name beside the data says that the database could not be read."""
UNPURGED = "unpurged"
"""A file of this name says that bytes of deleted keys may be in the data."""
_META_KEY = b"\0meta"
META_VERSION = 1
FRESH_MS = 6 * 86_400_000
"""What was not written for longer may have missed deletions, whose tombstones are kept for a week."""
BLOOM_BITS = 10
"""Of a key: most keys that are asked for are there, and those that are not cost no read."""
_CACHE = rocksdict.Cache(64 << 20)
"""Of all of a process's databases: one each would fill up, too, with blocks of files that are long gone."""


class Meta(msgspec.Struct, array_like=True, frozen=True):
    """What a database says of itself."""

    version: int
    next_offset: Offset
    """Of the changelog: what comes before is in the database, as far as it counts."""
    claim_offset: Annotated[int, msgspec.Meta(ge=-1, le=2**62)]
    """Where the claim stands under which the database was written last."""
    epoch: Annotated[int, msgspec.Meta(ge=0, le=MOST_CLAIMS)]
    owner: Annotated[bytes, msgspec.Meta(max_length=OWNER_BYTES)]
    written_ms: EventTime

    @property
    def claim(self) -> Claim:
        """Return the claim under which it was written."""
        return Claim(self.epoch, self.owner)


NEW = Meta(META_VERSION, next_offset=0, claim_offset=-1, epoch=0, owner=NOBODY, written_ms=0)


def read_meta(data: bytes) -> Meta:
    """Return what a database says of itself.

    Raises:
        StateVersionError: a newer program wrote it, or it is damaged: the changelog has all that it holds.
    """
    return decode_versioned(data, _META, what="database", version=META_VERSION)


class Partition:
    """One partition's database, and how far its changelog has been read and written."""

    def __init__(self, directory: Path) -> None:
        """Open it, made anew where it is missing or damaged."""
        self._directory = directory
        if (directory / DAMAGED).exists():
            self._remove("it could not be read")
        try:
            self._open()
        except Exception as error:
            self._remove(str(error))
            self._open()

    def _open(self) -> None:
        self._db = open_database(self._directory, cache=_CACHE, bloom_bits=BLOOM_BITS)
        try:
            stored = self._db.get(_META_KEY)
            self.meta = read_meta(stored) if stored is not None else NEW
        except Exception:
            self._db.close()  # else nobody could make it anew
            raise
        self.seen = self.meta.next_offset
        """Every record before this offset has been looked at, or is our own."""
        self.overwritten: set[bytes] = set()
        """Keys whose last record is by a process that had lost the partition."""
        self._pending_from: int | None = None
        """Where the first record stands that has to be overwritten."""

    def _remove(self, why: str) -> None:
        log.warning("removed_database path=%s why=%s", self._directory, why)
        shutil.rmtree(self._directory)

    def clear(self, why: str) -> None:
        """Begin anew, empty."""
        self._db.close()
        self._remove(why)
        self._open()

    def close(self) -> None:
        """Leave the database as it is."""
        self._db.close()

    def get(self, key: bytes) -> bytes | None:
        """Return a value, None where there is none."""
        try:
            return self._db.get(key)
        except Exception:
            (self._directory / DAMAGED).touch()  # the next start reads the changelog instead
            raise

    def scan(self, prefix: bytes, *, first: bytes | None = None, most: int | None = None) -> list[tuple[bytes, bytes]]:
        """Return the keys that begin with ``prefix``, and their values: all, or ``most`` of them, from ``first`` on."""
        found: list[tuple[bytes, bytes]] = []
        cursor = self._db.iter()
        cursor.seek(prefix if first is None else first)
        while cursor.valid() and (key := cursor.key()).startswith(prefix) and len(found) != most:
            found.append((key, cursor.value()))
            cursor.next()
        return found

    @property
    def is_unpurged(self) -> bool:
        """Whether bytes of deleted keys may be on the disk, be it since an earlier process."""
        return (self._directory / UNPURGED).exists()

    def owe_purge(self) -> None:
        """Note, for later processes too, that a deleted key's bytes have to go."""
        (self._directory / UNPURGED).touch()

    def purge(self) -> None:
        """Take from the disk what was there of deleted keys. May take long; reads and writes may go on."""
        rocks.purge(self._db)

    def purged(self) -> None:
        """Begin a new manifest: the old one may name deleted keys as the first or last of a file. All is paid."""
        self._db.close()
        self._db = open_database(self._directory, cache=_CACHE, bloom_bits=BLOOM_BITS)
        (self._directory / UNPURGED).unlink()

    def mark_overwritten(self, key: bytes, offset: int) -> None:
        """Note that a record, which does not count, has to be overwritten: until ``release`` a restart begins there."""
        self.overwritten.add(key)
        self._pending_from = offset if self._pending_from is None else min(offset, self._pending_from)

    def release(self) -> None:
        """Note that with the next ``write`` all of them are overwritten."""
        self.overwritten.clear()
        self._pending_from = None

    def write(self, values: Iterable[tuple[bytes, bytes | None]] = (), **claimed: object) -> None:
        """Write values, of which None deletes, and how far the changelog is in the database, at once.

        Args:
            claimed: Changed fields of ``Meta``: the claim that the values were written under.
        """
        next_offset = self.seen if self._pending_from is None else min(self.seen, self._pending_from)
        meta = msgspec.structs.replace(self.meta, next_offset=next_offset, written_ms=now_ms(), **claimed)
        self._db.write(batch_of([*values, (_META_KEY, msgspec.msgpack.encode(meta))]))
        self.meta = meta


_META = msgspec.msgpack.Decoder(Meta)


def now_ms() -> int:
    """Return the clock's time."""
    return time.time_ns() // 1_000_000
