"""A user who was forgotten: the little that must be kept for a while, so that what is still on its way stays out.

A user's events come from several topics, read one beside the other. When an erasure request is carried out, some
events of before may not have been read yet, and after a crash some are read again. Without a marker they would bring
the user back. The marker names, for each topic, the first offset that belongs to a new generation; it stands in the
users' table under a digest of the id, and is dropped once all topics have been read that far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from msgspec import Struct

from stream_rec.events.codec import Codec, Offset, SourceNumber
from stream_rec.user.state import UserState

VERSION = 1
PREFIX = b"\0gone\0"
"""Of the markers' keys in the users' table. No id begins so: NUL is refused at the door."""
DIGEST_BYTES = 16


class Forgotten(Struct, frozen=True, array_like=True):
    """What remains of a user for a while."""

    version: int
    offset: Offset
    """Of the erasure request, in its partition of ``forget``: one that is read again has been carried out."""
    begins: dict[SourceNumber, Offset]
    """By ``Source``, the first offset of a new generation."""

    def has(self, source: int, offset: int) -> bool:
        """Return whether an event belongs to the generation that was forgotten."""
        return offset < self.begins.get(source, 0)

    def is_over(self, read: Mapping[int, int]) -> bool:
        """Return whether the marker has done its work.

        Args:
            read: By ``Source``, the offset up to which nothing will be read again, even after a crash.
        """
        return all(read.get(source, -1) + 1 >= begin for source, begin in self.begins.items())


def key_of(user_key: bytes) -> bytes:
    """Return the key under which the marker stands."""
    return PREFIX + hashlib.blake2b(user_key, digest_size=DIGEST_BYTES, person=b"stream-rec gone").digest()


def items_of(state: UserState) -> set[str]:
    """Return the items that a user is known to have come to."""
    entries = [*state.recent_events, *state.pending]
    return {entry.item_id for entry in entries} | {count.item_id for count in state.weekly_counts}


_CODEC = Codec(Forgotten, what="marker of a forgotten user", version=VERSION)
encode, decode = _CODEC.encode, _CODEC.decode
"""Markers to bytes and back."""
