"""Visits: who came to an item last, as a bounded ring of records, for finding users alike (session kNN).

A visitor stands there once, with the latest visit. Kept are the newest by (time, visitor), a function of the set of
events alone: who was pushed out can only come back with a later visit. Users appear as a 64-bit digest of their id.
"""

from __future__ import annotations

import hashlib

import numpy as np

RECORD = np.dtype([("seen_ms", "<i8"), ("visitor", "<u8")])
_SIZE = RECORD.itemsize


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


def decoded(ring: bytes) -> np.ndarray:
    """Return the records, oldest first, as an array of ``RECORD``."""
    return np.frombuffer(ring, dtype=RECORD)


def changes(before: bytes, after: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return which records left and which came, two arrays of ``RECORD``."""
    if after[:-_SIZE] == before:  # one came
        return decoded(b""), decoded(after[len(before) :])
    if after[:-_SIZE] == before[_SIZE:]:  # one came, the oldest left
        return decoded(before[:_SIZE]), decoded(after[-_SIZE:])
    old, new = decoded(before), decoded(after)
    return np.setdiff1d(old, new), np.setdiff1d(new, old)


def _find(ring: bytes, visitor: bytes) -> int:
    """Return where the visitor's record begins, -1 where there is none."""
    at = ring.find(visitor)
    while at >= 0 and at % _SIZE != 8:
        at = ring.find(visitor, at + 1)
    return at - 8 if at >= 0 else -1


def _key(ring: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(ring[at : at + 8], "little", signed=True), int.from_bytes(ring[at + 8 : at + 16], "little")
