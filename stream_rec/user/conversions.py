"""Conversions: which impressions of items led to a choice of them.

An event with an item converts the newest impression of that item before it, if that is not too long ago; each
impression of an item is converted once, however often the user comes back to it.

What is converted is a function of events and impressions alone, whatever order they came in: what arrives late changes
it, and those changes are sent. (As far as recent events and impressions reach: what has left them stays as it was.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

from stream_rec.user.answers import REACH_MS
from stream_rec.user.entries import TEACHES_NOBODY, Entry, ImpressionEntry

Change = tuple[int, int]
"""Slot, and by how much more often it led to a choice."""


def find_shown(impressions: Sequence[ImpressionEntry], timestamp_ms: int, item_id: str) -> ImpressionEntry | None:
    """Return the impression that an event with an item converts, or None.

    Args:
        impressions: Ordered by time.
    """
    for index in range(bisect_right(impressions, timestamp_ms, key=_TIMESTAMP_MS) - 1, -1, -1):
        impression = impressions[index]
        if timestamp_ms - impression.timestamp_ms > REACH_MS:
            return None
        if item_id in impression.item_ids:
            return impression
    return None


def find_converted(
    events: Iterable[Entry], impressions: Sequence[ImpressionEntry], item_id: str
) -> dict[str, ImpressionEntry]:
    """Return the impressions of one item that some of the events convert, by their id.

    Args:
        impressions: Ordered by time.
    """
    if not impressions:
        return {}
    found = (find_shown(impressions, e.timestamp_ms, item_id) for e in events if e.item_id == item_id)
    return {impression.event_id: impression for impression in found if impression is not None}


def changes(before: dict[str, ImpressionEntry], after: dict[str, ImpressionEntry], item_id: str) -> list[Change]:
    """Return how much more often slots led to a choice of an item after than before, by slot."""
    by_slot: Counter[int] = Counter()
    for found, step in ((after, 1), (before, -1)):
        for impression in found.values():
            by_slot[slot_in(impression, item_id)] += step
    by_slot.pop(TEACHES_NOBODY, None)
    return sorted((slot, change) for slot, change in by_slot.items() if change)


def slot_in(impression: ImpressionEntry, item_id: str) -> int:
    """Return the slot that an item had, or ``TEACHES_NOBODY``."""
    return impression.slots[impression.item_ids.index(item_id)]


def is_first_choice(earlier: Iterable[Entry], impression: ImpressionEntry, item_id: str) -> bool:
    """Return whether none of the events before the newest has converted the impression that it converts.

    Args:
        earlier: The newest first.
    """
    for entry in earlier:
        if entry.timestamp_ms < impression.timestamp_ms:
            return True
        if entry.item_id == item_id:
            return False
    return True


_TIMESTAMP_MS = attrgetter("timestamp_ms")
