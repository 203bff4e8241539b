"""One user's state: facts only, bounded, a function of the set of events and not of their arrival order.

The recent events are the newest, kept whole, and so are the recent searches. The weekly counts are interactions by item
and week, as far back as their bound reaches: whole weeks leave, oldest first, and a late event of such a week is not
let in again. So all three are what they would be had the events come in any other order. Duplicates (same
``event_id``) are dropped, whatever their event time: recent events and searches have their ids, and of earlier ones
``seen.py`` keeps digests.

One user teaches the others only so much, whoever sends however many events in the user's name: of one kind, with one
item, in one week ``UserConfig.weekly_training_events`` events. The weekly counts say how many there were; what
they cannot hold (its week has left them, or is too full) teaches ``interactions.UNCOUNTED`` times in all. Everything
else is the user's own: it is folded, and sends no signal.

What is not a fact is bookkeeping for exactness: offsets, arrival numbers, which events teach, digests of ids, and
``pending`` entries, which are no recent events any more but whose signals may have to be sent once more after a crash
(see ``signals.py``).

What the user was shown is kept twice: the last impressions whole, in which choices are looked up, and counts by item
and six hours, as far back as their bound reaches, which say what the user is tired of.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream_rec.errors import StateVersionError
from stream_rec.events.codec import Count, EventTime, Offset, SourceNumber, decode_versioned
from stream_rec.user import seen
from stream_rec.user.entries import AnyEntry, Entry, ImpressionEntry, ProfileEntry, SearchEntry, ShownCount, WeeklyCount

VERSION = 10


class UserState(Struct, frozen=True, array_like=True):
    """All that is known of one user. Lists are never changed in place."""

    version: int = VERSION
    recent_events: list[Entry] = []
    """Ordered by ``Entry.order``, newest last."""
    weekly_counts: list[WeeklyCount] = []
    """Ordered by (week, item_id)."""
    first_week: Annotated[int, Meta(ge=-1, le=2**53)] = -1
    """Weeks before this one have left the weekly counts for good."""
    counts: tuple[Count, Count, Count] = (0, 0, 0)
    """All interactions ever, by ``Kind``."""
    first_ms: EventTime | None = None
    """Event time of the earliest event."""
    offsets: dict[SourceNumber, Offset] = {}
    """Last applied offset, by ``Source``."""
    arrivals: Count = 0
    pending: list[Entry] = []
    """Entries that have left the recent events, and whose signals or neighbours' signals may have to be sent again."""
    released: dict[SourceNumber, Offset] = {}
    """By ``Source``, the offset up to which no signal has to be sent again, as of when ``pending`` was last emptied."""
    n_uncounted: Count = 0
    """Events that the weekly counts could not hold."""
    recent_ids: bytes = b""
    """Digests (``seen.digest_of``) of ids that have left the recent events, in this order, and are not archived yet."""
    n_archived: Count = 0
    """How many such digests have gone to the archive, ever."""
    received_ms: EventTime = 0
    """When the newest event or search came, by the broker's clock."""
    recent_searches: list[SearchEntry] = []
    """Ordered by ``SearchEntry.order``, newest last."""
    pending_searches: list[SearchEntry] = []
    """As ``pending``, of what has left the recent searches."""
    recent_impressions: list[ImpressionEntry] = []
    """Ordered by ``ImpressionEntry.order``, newest last."""
    pending_impressions: list[ImpressionEntry] = []
    """As ``pending``, of what has left the recent impressions."""
    shown_counts: list[ShownCount] = []
    """Ordered by (period, item_id)."""
    first_shown_period: Annotated[int, Meta(ge=-1, le=2**53)] = -1
    """Periods before this one have left the counts of what was shown for good."""
    uncounted_shown: tuple[int, Count] = (-1, 0)
    """The newest period in which items were shown that those counts could not hold, and how many. Bookkeeping."""
    newest_week_shown: tuple[int, Count] = (-1, 0)
    """The newest week in which something was shown, and how many impressions it has. Bookkeeping."""
    profile: ProfileEntry | None = None
    """What the user has said of themselves."""
    ratings: tuple[Count, Annotated[int, Meta(ge=-(2**53), le=2**53)]] = (0, 0)
    """How many events ever were ratings, and their sum in thousandths."""

    @property
    def newest(self) -> Entry | None:
        """The newest event in event time."""
        return self.recent_events[-1] if self.recent_events else None

    @property
    def newest_said(self) -> Entry | SearchEntry | None:
        """The newest event or search in event time."""
        newest: list[Entry | SearchEntry] = [*self.recent_events[-1:], *self.recent_searches[-1:]]
        return max(newest, key=_TIMESTAMP_MS, default=None)

    @property
    def is_cold(self) -> bool:
        """Whether nothing is known of this user."""
        return not self.recent_events and not self.recent_searches and not self.recent_impressions and not self.profile


COLD = UserState()
"""Of a user of whom nothing ever came."""


def encode(state: UserState) -> bytes:
    """Return the bytes that a table keeps."""
    return _ENCODER.encode(state)


def decode(data: bytes) -> UserState:
    """Return the state in ``data``, as this version has it.

    Raises:
        StateVersionError: written by a newer program, or not a user state at all.
    """
    state = decode_versioned(data, _DECODER, what="user state", version=VERSION)
    if not all(map(_is_possible, (*state.recent_impressions, *state.pending_impressions))):
        raise StateVersionError("user state cannot be read: an impression has each item once, and a slot for each")
    if state.version == VERSION:
        return state
    if state.version >= 4:
        # 4 did not say which events were a user's first, 5 had no searches, 6 no impressions, 7 no contexts, 8 no
        # profile, 9 no ratings.
        return msgspec.structs.replace(state, version=VERSION)
    # Before version 4 only the recent events knew what had come; of what has left it no more is there than this.
    return msgspec.structs.replace(state, version=VERSION, recent_ids=digests_of(state.pending))


def facts(state: UserState) -> bytes:
    """Return the facts alone, as bytes that are equal exactly when the facts are."""
    recent_events = [
        (e.timestamp_ms, e.event_id, e.item_id, e.kind, e.value, e.contexts, e.rating) for e in state.recent_events
    ]
    searches = [(e.timestamp_ms, e.event_id, e.query, e.item_id, e.contexts) for e in state.recent_searches]
    impressions = [(e.timestamp_ms, e.event_id, e.item_ids) for e in state.recent_impressions]
    counted = state.weekly_counts, state.first_week, state.counts, state.first_ms
    shown = state.shown_counts, state.first_shown_period
    return _ENCODER.encode((recent_events, *counted, searches, impressions, *shown, state.profile, state.ratings))


def digest(states: dict[str, UserState]) -> str:
    """Return one hexadecimal digest of the facts of many users."""
    hasher = hashlib.blake2b(digest_size=16)
    for user_id in sorted(states):
        hasher.update(msgspec.msgpack.encode((user_id, facts(states[user_id]))))
    return hasher.hexdigest()


def is_applied(state: UserState, source: int, offset: int) -> bool:
    """Return whether what stands at ``offset`` of the topic of ``source`` is already in the state."""
    return offset <= state.offsets.get(source, -1)


def n_in_week(state: UserState, week: int) -> int:
    """Return how many interactions of one week are counted."""
    begins, ends = (bisect_left(state.weekly_counts, each, key=_WEEK) for each in (week, week + 1))
    return sum(sum(count.counts) for count in state.weekly_counts[begins:ends])


def release(state: UserState, acknowledged: Mapping[int, int]) -> UserState:
    """Return the state without its pending entries, if the signals of all that it holds are acknowledged.

    Args:
        acknowledged: By ``Source``, the offset up to which all signals are known to be acknowledged.
    """
    if not state.pending and not state.pending_searches and not state.pending_impressions:
        return state
    # No entry has a larger offset than the state: where that is acknowledged, they all are.
    if any(offset > acknowledged.get(source, -1) for source, offset in state.offsets.items()) and any(
        e.offset > acknowledged.get(e.source, -1) for e in entries_of(state)
    ):
        return state
    return msgspec.structs.replace(
        state, pending=[], pending_searches=[], pending_impressions=[], released=state.offsets
    )


def entries_of(state: UserState) -> list[AnyEntry]:
    """Return all that the state holds of what came, in no order."""
    return [
        *state.recent_events,
        *state.pending,
        *state.recent_searches,
        *state.pending_searches,
        *state.recent_impressions,
        *state.pending_impressions,
    ]


def digests_of(entries: Sequence[AnyEntry]) -> bytes:
    """Return the digests of what came, in this order."""
    return b"".join([seen.digest_of(entry.event_id) for entry in entries])


def _is_possible(impression: ImpressionEntry) -> bool:
    n = len(impression.item_ids)
    return n > 0 and n == len(impression.slots) == len(set(impression.item_ids))


_TIMESTAMP_MS = attrgetter("timestamp_ms")
_WEEK = attrgetter("week")
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(UserState)
