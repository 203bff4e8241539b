"""Visits: who came to an item last, as a bounded ring of records, for finding users alike (session kNN).

A visitor stands there once, with the latest visit. Kept are the newest by (time, visitor), a function of the set of
events alone: who was pushed out can only come back with a later visit. Users appear as a 64-bit digest of their id.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from stream_rec.knowledge.bounds import MOST_VISITORS

RECORD = np.dtype([("seen_ms", "<i8"), ("visitor", "<u8")])
_RECORD = struct.Struct("<qQ")
_SIZE = _RECORD.size


def visitor_of(user_id: str) -> int:
    """Return the number that stands for a user in rings."""
    return int.from_bytes(hashlib.blake2b(user_id.encode(), digest_size=8).digest(), "little")


def with_visit(ring: bytes, seen_ms: int, visitor: int, bound: int) -> bytes:
    """Return the ring after one more visit, at most ``bound`` records, oldest first."""
    record = seen_ms.to_bytes(8, "little", signed=True) + visitor.to_bytes(8, "little")
    at = _find(ring, record[8:])
    if at >= 0:
        if int.from_bytes(ring[at : at + 8], "little", signed=True) >= seen_ms:
            return ring
        ring = ring[:at] + ring[at + _SIZE :]
    place = len(ring)
    while place and _key(ring, place - _SIZE) > (seen_ms, visitor):
        place -= _SIZE
    return (ring[:place] + record + ring[place:])[-bound * _SIZE :]


def without(ring: bytes, visitor: int) -> bytes:
    """Return the ring without a visitor."""
    at = _find(ring, visitor.to_bytes(8, "little"))
    return ring if at < 0 else ring[:at] + ring[at + _SIZE :]


def contradiction(ring: bytes) -> str | None:
    """Return why bytes can be no ring, or None."""
    if len(ring) % _SIZE or len(ring) > MOST_VISITORS * _SIZE:
        return f"visits of {len(ring)} bytes, a multiple of {_SIZE} expected, at most {MOST_VISITORS * _SIZE}"
    if len(set(decoded(ring)["visitor"].tolist())) != len(ring) // _SIZE:
        return "a visitor stands twice among the visits"
    return None


def decoded(ring: bytes) -> np.ndarray:
    """Return the records, oldest first, as an array of ``RECORD``."""
    return np.frombuffer(ring, dtype=RECORD)


def changes(before: bytes, after: bytes) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return which records left and which came, (time, visitor) each, the oldest first.

    One visit that comes in time is looked for first: compared as bytes, whole rings take a microsecond.
    """
    if not before:  # at a start every ring comes whole
        return [], sorted(_records(after))
    kept, newest = after[:-_SIZE], after[-_SIZE:]
    if kept == before:  # one came
        return [], _records(newest)
    if kept == before[_SIZE:]:  # one came, the oldest left
        return _records(before[:_SIZE]), _records(newest)
    at = _find(before, newest[8:])
    if at >= 0 and kept == before[:at] + before[at + _SIZE :]:  # one came back
        return _records(before[at : at + _SIZE]), _records(newest)
    old, new = set(_records(before)), set(_records(after))
    return sorted(old - new), sorted(new - old)


def _records(ring: bytes) -> list[tuple[int, int]]:
    return list(_RECORD.iter_unpack(ring))


def _find(ring: bytes, visitor: bytes) -> int:
    """Return where the visitor's record begins, -1 where there is none."""
    at = ring.find(visitor)
    while at >= 0 and at % _SIZE != 8:
        at = ring.find(visitor, at + 1)
    return at - 8 if at >= 0 else -1


def _key(ring: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(ring[at : at + 8], "little", signed=True), int.from_bytes(ring[at + 8 : at + 16], "little")
