"""What is recent of a user: the newest of what came, in its order, and whether something came before."""

from __future__ import annotations

from bisect import insort
from collections.abc import Container, Sequence
from operator import attrgetter

from stream_rec.user import seen
from stream_rec.user.entries import EntryT
from stream_rec.user.state import UserState


def insert(recent: Sequence[EntryT], entry: EntryT, bound: int) -> tuple[list[EntryT], list[EntryT]]:
    """Return the newest entries with one more, ``bound`` at most, and those that leave for it; most come in time."""
    entries = list(recent)
    if entries and entry.order < entries[-1].order:
        insort(entries, entry, key=lambda e: e.order)
    else:
        entries.append(entry)
    n_over = max(0, len(entries) - bound)
    return entries[n_over:], entries[:n_over]


def is_known(state: UserState, event_id: str, archived: Container[bytes]) -> bool:
    """Return whether something with this id came before.

    Args:
        archived: Digests that the user's archive holds.
    """
    if (
        event_id in map(_EVENT_ID, state.recent_events)
        or event_id in map(_EVENT_ID, state.recent_searches)
        or event_id in map(_EVENT_ID, state.recent_impressions)
    ):
        return True
    if not state.recent_ids and not archived:
        return False
    digest = seen.digest_of(event_id)
    return digest in archived or seen.has(state.recent_ids, digest)


_EVENT_ID = attrgetter("event_id")
