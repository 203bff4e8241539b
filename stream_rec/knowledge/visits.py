"""Visits: who came to an item last, as a bounded sequence of records, for finding users alike (session kNN).

A visitor stands there once, with the latest visit. Kept are the newest by (time, visitor), a function of the set of
events alone: who was pushed out can only come back with a later visit. Users appear as a 64-bit digest of their id.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

from stream_rec.knowledge.bounds import MOST_VISITS

RECORD = np.dtype([("seen_ms", "<i8"), ("visitor", "<u8")])
_RECORD = struct.Struct("<qQ")
_SIZE = _RECORD.size


def visitor_of(user_id: str) -> int:
    """Return the number that stands for a user among visits."""
    return int.from_bytes(hashlib.blake2b(user_id.encode(), digest_size=8).digest(), "little")


def add_visit(visits: bytes, seen_ms: int, visitor: int, bound: int) -> bytes:
    """Return the recent visits after one more, at most ``bound`` records, oldest first.

    >>> visits = b""
    >>> for seen_ms, visitor in [(10, 1), (20, 2), (30, 1), (40, 3)]:
    ...     visits = add_visit(visits, seen_ms, visitor, bound=2)
    >>> decode(visits).tolist()
    [(30, 1), (40, 3)]
    """
    record = seen_ms.to_bytes(8, "little", signed=True) + visitor.to_bytes(8, "little")
    start = _find(visits, record[8:])
    if start >= 0:
        if int.from_bytes(visits[start : start + 8], "little", signed=True) >= seen_ms:
            return visits
        visits = visits[:start] + visits[start + _SIZE :]
    end = len(visits)
    while end and _key(visits, end - _SIZE) > (seen_ms, visitor):
        end -= _SIZE
    return (visits[:end] + record + visits[end:])[-bound * _SIZE :]


def remove_visitor(visits: bytes, visitor: int) -> bytes:
    """Return the visits without a visitor."""
    start = _find(visits, visitor.to_bytes(8, "little"))
    return visits if start < 0 else visits[:start] + visits[start + _SIZE :]


def find_contradiction(visits: bytes) -> str | None:
    """Return why bytes can be no recent visits, or None."""
    if len(visits) % _SIZE or len(visits) > MOST_VISITS * _SIZE:
        return f"visits of {len(visits)} bytes, a multiple of {_SIZE} expected, at most {MOST_VISITS * _SIZE}"
    if len(set(decode(visits)["visitor"].tolist())) != len(visits) // _SIZE:
        return "a visitor stands twice among the visits"
    return None


def decode(visits: bytes) -> NDArray[np.void]:
    """Return the records, oldest first, as an array of ``RECORD``."""
    return np.frombuffer(visits, dtype=RECORD)


def changes(before: bytes, after: bytes) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return which records left and which came, (time, visitor) each, the oldest first.

    One visit that comes in time is looked for first: compared as bytes, they take a microsecond as a whole.
    """
    if not before:  # at a start they all come whole
        return [], sorted(_records(after))
    kept, newest = after[:-_SIZE], after[-_SIZE:]
    if kept == before:  # one came
        return [], _records(newest)
    if kept == before[_SIZE:]:  # one came, the oldest left
        return _records(before[:_SIZE]), _records(newest)
    start = _find(before, newest[8:])
    if start >= 0 and kept == before[:start] + before[start + _SIZE :]:  # one came back
        return _records(before[start : start + _SIZE]), _records(newest)
    old, new = set(_records(before)), set(_records(after))
    return sorted(old - new), sorted(new - old)


def _records(visits: bytes) -> list[tuple[int, int]]:
    return list(_RECORD.iter_unpack(visits))


def _find(visits: bytes, visitor: bytes) -> int:
    """Return where the visitor's record begins, -1 where there is none."""
    start = visits.find(visitor)
    while start >= 0 and start % _SIZE != 8:
        start = visits.find(visitor, start + 1)
    return start - 8 if start >= 0 else -1


def _key(visits: bytes, start: int) -> tuple[int, int]:
    return int.from_bytes(visits[start : start + 8], "little", signed=True), int.from_bytes(
        visits[start + 8 : start + 16], "little"
    )
