"""Visits: who came to an item last, as a bounded sequence of records, for finding users alike (session kNN).

A visitor stands there once, with the latest visit. Kept are the newest by (time, visitor), a function of the set of
events alone: who was pushed out can only come back with a later visit. Users appear as a 64-bit digest of their id.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from stream_rec.knowledge.bounds import MOST_VISITS

RECORD = np.dtype([("seen_ms", "<i8"), ("visitor", "<u8")])
_RECORD = struct.Struct("<qQ")
_SIZE = _RECORD.size


def visitor_of(user_id: str) -> int:
    """Return the number that stands for a user among visits."""
    return int.from_bytes(hashlib.blake2b(user_id.encode(), digest_size=8).digest(), "little")


def add_visit(visits: bytes, seen_ms: int, visitor: int, bound: int) -> bytes:
    """Return the recent visits after one more, at most ``bound`` records, oldest first."""
    record = seen_ms.to_bytes(8, "little", signed=True) + visitor.to_bytes(8, "little")
    at = _find(visits, record[8:])
    if at >= 0:
        if int.from_bytes(visits[at : at + 8], "little", signed=True) >= seen_ms:
            return visits
        visits = visits[:at] + visits[at + _SIZE :]
    place = len(visits)
    while place and _key(visits, place - _SIZE) > (seen_ms, visitor):
        place -= _SIZE
    return (visits[:place] + record + visits[place:])[-bound * _SIZE :]


def remove_visitor(visits: bytes, visitor: int) -> bytes:
    """Return the visits without a visitor."""
    at = _find(visits, visitor.to_bytes(8, "little"))
    return visits if at < 0 else visits[:at] + visits[at + _SIZE :]


def find_contradiction(visits: bytes) -> str | None:
    """Return why bytes can be no recent visits, or None."""
    if len(visits) % _SIZE or len(visits) > MOST_VISITS * _SIZE:
        return f"visits of {len(visits)} bytes, a multiple of {_SIZE} expected, at most {MOST_VISITS * _SIZE}"
    if len(set(decode(visits)["visitor"].tolist())) != len(visits) // _SIZE:
        return "a visitor stands twice among the visits"
    return None


def decode(visits: bytes) -> np.ndarray:
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
    at = _find(before, newest[8:])
    if at >= 0 and kept == before[:at] + before[at + _SIZE :]:  # one came back
        return _records(before[at : at + _SIZE]), _records(newest)
    old, new = set(_records(before)), set(_records(after))
    return sorted(old - new), sorted(new - old)


def _records(visits: bytes) -> list[tuple[int, int]]:
    return list(_RECORD.iter_unpack(visits))


def _find(visits: bytes, visitor: bytes) -> int:
    """Return where the visitor's record begins, -1 where there is none."""
    at = visits.find(visitor)
    while at >= 0 and at % _SIZE != 8:
        at = visits.find(visitor, at + 1)
    return at - 8 if at >= 0 else -1


def _key(visits: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(visits[at : at + 8], "little", signed=True), int.from_bytes(
        visits[at + 8 : at + 16], "little"
    )
