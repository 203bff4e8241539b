"""Which events of a user came before and are not recent any more: digests of their ids, so that none counts twice.

The recent events are known by their ids. What leaves them leaves a digest of eight bytes, first in the user's state;
when those are more than ``RECENT`` after a batch, all of them go to the archive: chunks of up to ``CHUNK`` digests,
each a record of its own in the users' table. A chunk is written with the state that no longer holds its digests, just
before it. Both go to one partition of one changelog, whose records come in order: where that state is, its chunks are.
A crash can leave a chunk whose state never came. So a state says how many digests it has archived, and of what stands
behind that in a chunk nothing is believed; the next to archive overwrites it.

Chunks leave in time, as wholes (``is_over``): what is missing is what came too long ago to matter.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.codec import Codec, Count, EventTime

VERSION = 1
PREFIX = b"\0seen\0"
"""Of the chunks' keys in the users' table. No id begins so, or holds a NUL: it is refused at the door."""
DIGEST_BYTES = 8
RECENT = 64
"""Digests in a state, between batches; so many events cost one record of the archive."""
CHUNK = 1_024
"""Digests in a chunk, at most: 8 KiB."""
FEW = 16
"""Digests that are looked for one by one: 3 µs each in a chunk; to take a chunk apart costs 60, for any number."""
_NUMBER = struct.Struct(">Q")


class Chunk(Struct, frozen=True, array_like=True):
    """Some digests of one user's events, in the order in which they were archived."""

    version: int
    begins: Count
    """How many digests of this user were archived before the first of these."""
    newest_ms: EventTime
    """None of these events came later, by the broker's clock."""
    digests: Annotated[bytes, Meta(max_length=CHUNK * DIGEST_BYTES)]


Archive = Callable[[int], Chunk | None]
"""One user's chunks: from a chunk's number to the chunk, None where there is none."""


def nothing(number: int) -> None:
    """Return no chunk: an empty archive."""


def digest_of(text: str) -> bytes:
    """Return what is kept of an id."""
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


def has(digests: bytes, digest: bytes) -> bool:
    """Return whether ``digest`` is one of ``digests``, which stand one after the other."""
    start = digests.find(digest)
    while start >= 0 and start % DIGEST_BYTES:
        start = digests.find(digest, start + 1)
    return start >= 0


def find_known(wanted: list[bytes], archive: Archive, n_archived: int) -> set[bytes]:
    """Return those of ``wanted`` that the archive holds.

    Args:
        n_archived: How many digests the user's state says are there; what stands behind them is not believed.
    """
    parts = []
    for number in reversed(range(n_chunks(n_archived))):
        if (chunk := archive(number)) is None:
            break  # they leave oldest first
        parts.append(_believe(chunk, n_archived))
    if len(wanted) <= FEW:
        return {digest for digest in wanted if any(has(part, digest) for part in parts)}
    asked = set(wanted)
    return {
        digest
        for part in parts
        for start in range(0, len(part), DIGEST_BYTES)
        if (digest := part[start : start + DIGEST_BYTES]) in asked
    }


def archive_digests(digests: bytes, newest_ms: int, archive: Archive, n_archived: int) -> dict[int, Chunk]:
    """Return by number the chunks that have to be written so that the archive holds these digests, too.

    Args:
        newest_ms: When the newest of all this user's events came, by the broker's clock.
        n_archived: How many digests are there already, as the user's state says.
    """
    chunks: dict[int, Chunk] = {}
    while digests:
        number, n_before = divmod(n_archived, CHUNK)
        old = archive(number) if n_before else None
        kept = _believe(old, n_archived) if old is not None else b""
        room = (CHUNK - n_before) * DIGEST_BYTES
        added, digests = digests[:room], digests[room:]
        chunks[number] = Chunk(VERSION, n_archived - len(kept) // DIGEST_BYTES, newest_ms, kept + added)
        n_archived += len(added) // DIGEST_BYTES
    return chunks


def n_chunks(n_archived: int) -> int:
    """Return how many chunks so many digests fill, the last one perhaps not whole."""
    return -(-n_archived // CHUNK)


def is_over(value: bytes, before_ms: float) -> bool:
    """Return whether all events of an encoded chunk came before a moment.

    Raises:
        StateVersionError: as ``decode``.
    """
    return _HEAD_CODEC.decode(value).newest_ms < before_ms


def prefix_of(user_key: bytes) -> bytes:
    """Return how the keys of a user's chunks begin, and no others."""
    return PREFIX + user_key + b"\0"


def key_of(user_key: bytes, number: int) -> bytes:
    """Return the key under which a chunk stands."""
    return prefix_of(user_key) + _NUMBER.pack(number)


def user_key_of(key: bytes) -> bytes:
    """Return whose chunk stands under ``key``: it belongs into that user's partition."""
    return key[len(PREFIX) : -_NUMBER.size - 1]


def number_of(key: bytes) -> int:
    """Return the number of the chunk that stands under ``key``."""
    return int.from_bytes(key[-_NUMBER.size :], "big")


class _Head(Struct, frozen=True, array_like=True):
    """A chunk without its digests."""

    version: int
    begins: Count
    newest_ms: EventTime


def _believe(chunk: Chunk, n_archived: int) -> bytes:
    """Return the digests of a chunk that went there before the state that says ``n_archived``, and whole ones only."""
    n = min(len(chunk.digests) // DIGEST_BYTES, n_archived - chunk.begins)
    return chunk.digests[: max(0, n) * DIGEST_BYTES]


_CODEC = Codec(Chunk, what="digests of events", version=VERSION)
_HEAD_CODEC = Codec(_Head, what="digests of events", version=VERSION)
encode, decode = _CODEC.encode, _CODEC.decode
"""Chunks to bytes and back."""
