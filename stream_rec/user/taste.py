"""Taste: what is derived from a user's facts when a list is made. Nothing here is stored."""

from __future__ import annotations

from msgspec import Struct

from stream_rec.user.state import Entry, UserState


class OwnItem(Struct, frozen=True):
    """What one user did with one item, as far as the tally reaches."""

    item_id: str
    counts: tuple[int, int, int]
    """By ``Kind``."""
    last_ms: int


def recent_items(state: UserState, n: int) -> list[Entry]:
    """Return the newest event of each of the ``n`` last items, newest first."""
    newest: dict[str, Entry] = {}
    for entry in reversed(state.ring):
        if entry.item_id not in newest:
            newest[entry.item_id] = entry
            if len(newest) == n:
                break
    return list(newest.values())


def own_items(state: UserState) -> list[OwnItem]:
    """Return every item in the tally with its counts over all weeks, in no particular order."""
    sums: dict[str, tuple[int, int, int, int]] = {}
    for tally in state.tally:
        views, clicks, purchases = tally.counts
        old = sums.get(tally.item_id, (0, 0, 0, 0))
        sums[tally.item_id] = (old[0] + views, old[1] + clicks, old[2] + purchases, max(old[3], tally.last_ms))
    return [OwnItem(item_id, (v, c, p), last_ms) for item_id, (v, c, p, last_ms) in sums.items()]
