"""One user's state: facts only, bounded, a function of the set of events and not of their arrival order.

The recent events are the newest, kept whole, and so are the recent searches. The weekly counts are interactions by item
and week, as far back as their bound reaches: whole weeks leave, oldest first, and a late event of such a week is not
let in again. So all three are what they would be had the events come in any other order. Duplicates (same
``event_id``) are dropped, whatever their event time: recent events and searches have their ids, and of earlier ones
``seen.py`` keeps digests.

One user teaches the others only so much, whoever sends however many events in the user's name: of one kind, with one
item, in one week ``UserConfig.weekly_training_events`` events. The weekly counts say how many there were; what
they cannot hold (its week has left them, or is too full) teaches ``UNCOUNTED`` times in all. Everything else is the
user's own: it is folded, and sends no signal.

What is not a fact is bookkeeping for exactness: offsets, arrival numbers, which events teach, digests of ids, and
``pending`` entries, which are no recent events any more but whose signals may have to be sent once more after a crash
(see ``advance.py``).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Container, Mapping, Sequence
from operator import attrgetter
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream_rec.events.codec import Count, EventTime, KindNumber, Offset, SourceNumber, decode_versioned
from stream_rec.events.interaction import Id, Interaction, Kind
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.user import seen

WEEK_MS = 7 * 86_400_000
VERSION = 6
LONGEST_TEXT = 256
"""Characters kept of a search's query: what comes after them finds nothing."""
UNCOUNTED = 512
"""As many weekly counts as are kept by default: three topics of a long past, read far out of step, lose none."""


class UserConfig(Struct, frozen=True, kw_only=True):
    """Bounds of one user's state."""

    recent_events: Annotated[int, Meta(ge=16, le=1024)] = 64
    """Newest events kept whole."""
    recent_searches: Annotated[int, Meta(ge=1, le=256)] = 16
    """Newest searches kept."""
    weekly_counts: Annotated[int, Meta(ge=16, le=16_384)] = 512
    """Counts kept, one for each item and week."""
    weekly_training_events: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    """Events of one kind with one item in one week from which others learn; more change only the user's own lists."""
    weekly_choices: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Events of a week that teach how lists are ranked, for everybody."""
    deduplication_window_s: Annotated[int, Meta(ge=3600, le=315_360_000)] = 604_800
    """How long the same ``event_id`` of one user is the same event, by the broker's time of its records; later it may
    count again. By default as long as topics keep events."""


class Entry(Struct, frozen=True, array_like=True):
    """One event in the recent events. Its source is the topic of its ``kind``."""

    timestamp_ms: EventTime
    event_id: str
    item_id: Id
    kind: KindNumber
    value: float | None
    offset: Offset
    """In its source topic."""
    arrival: Count
    """How many events of this user were applied before this one."""
    again: bool = False
    """Whether the weekly counts had the item before. Bookkeeping: after a crash the same signal must be sent again."""
    teaches: bool = True
    """Whether others learn from it. Bookkeeping, for the same reason."""
    is_first: bool = False
    """Whether it is the user's first of its kind, by its topic: the same however topics are read. Bookkeeping too."""

    @property
    def source(self) -> int:
        """Of its topic."""
        return self.kind

    @property
    def week(self) -> int:
        """Of the event's time, since 1970."""
        return self.timestamp_ms // WEEK_MS

    @property
    def order(self) -> tuple[int, str]:
        """Order of the recent events: by event time, ties by event id."""
        return self.timestamp_ms, self.event_id

    @property
    def log_order(self) -> tuple[int, int, int]:
        """Position in the user's sequence of items: by event time, ties as they stand in their topics."""
        return self.timestamp_ms, self.kind, self.offset


class SearchEntry(Struct, frozen=True, array_like=True):
    """One of the recent searches."""

    timestamp_ms: EventTime
    event_id: str
    query: str
    """The first ``LONGEST_TEXT`` characters."""
    item_id: Id | None
    """What the user wanted something like, if anything."""
    offset: Offset
    """In ``searches``."""
    arrival: Count
    """As of ``Entry``: events and searches are counted together."""

    @property
    def source(self) -> int:
        """Of its topic."""
        return Source.SEARCH

    @property
    def order(self) -> tuple[int, str]:
        """Order of the recent searches: by event time, ties by event id."""
        return self.timestamp_ms, self.event_id


class WeeklyCount(Struct, frozen=True, array_like=True):
    """How often one item was interacted with in one week."""

    week: int
    item_id: str
    counts: tuple[Count, Count, Count]
    """By ``Kind``."""
    last_ms: int


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

    @property
    def newest(self) -> Entry | None:
        """The newest event in event time."""
        return self.recent_events[-1] if self.recent_events else None

    @property
    def is_cold(self) -> bool:
        """Whether nothing is known of this user."""
        return not self.recent_events and not self.recent_searches


COLD = UserState()


def encode(state: UserState) -> bytes:
    """Return the bytes that a table keeps."""
    return _ENCODER.encode(state)


def decode(data: bytes) -> UserState:
    """Return the state in ``data``, as this version has it.

    Raises:
        StateVersionError: written by a newer program, or not a user state at all.
    """
    state = decode_versioned(data, _DECODER, what="user state", version=VERSION)
    if state.version == VERSION:
        return state
    if state.version >= 4:  # 4 did not say which events were a user's first, 5 had no searches
        return msgspec.structs.replace(state, version=VERSION)
    # Before version 4 only the recent events knew what had come; of what has left it no more is there than this.
    return msgspec.structs.replace(state, version=VERSION, recent_ids=_digests(state.pending))


def facts(state: UserState) -> bytes:
    """Return the facts alone, as bytes that are equal exactly when the facts are."""
    recent_events = [(e.timestamp_ms, e.event_id, e.item_id, e.kind, e.value) for e in state.recent_events]
    searches = [(e.timestamp_ms, e.event_id, e.query, e.item_id) for e in state.recent_searches]
    counted = state.weekly_counts, state.first_week, state.counts, state.first_ms
    return _ENCODER.encode((recent_events, *counted, searches))


def digest(states: dict[str, UserState]) -> str:
    """Return one hexadecimal digest of the facts of many users."""
    hasher = hashlib.blake2b(digest_size=16)
    for user_id in sorted(states):
        hasher.update(msgspec.msgpack.encode((user_id, facts(states[user_id]))))
    return hasher.hexdigest()


def is_applied(state: UserState, source: int, offset: int) -> bool:
    """Return whether the event or search at ``offset`` of the topic of ``source`` is already in the state."""
    return offset <= state.offsets.get(source, -1)


def fold(
    state: UserState,
    event: Interaction,
    kind: Kind,
    offset: int,
    config: UserConfig,
    archived: Container[bytes] = frozenset(),
) -> UserState:
    """Return the state after one event that is not applied yet.

    An event whose id is known is a duplicate: only its offset is noted. What leaves the recent events goes to
    ``pending``, where it stays until ``release``, and its digest to ``recent_ids``.

    Args:
        archived: Digests that the user's archive holds, this event's among them if it does.
    """
    offsets = {**state.offsets, int(kind): offset}
    if _is_known(state, event.event_id, archived):
        return msgspec.structs.replace(state, offsets=offsets)
    weekly_counts, first_week, n_alike = _count(
        state.weekly_counts, state.first_week, event, kind, config.weekly_counts
    )
    entry = Entry(
        timestamp_ms=event.timestamp_ms,
        event_id=event.event_id,
        item_id=event.item_id,
        kind=int(kind),
        value=event.value,
        offset=offset,
        arrival=state.arrivals,
        again=event.item_id in map(_ITEM_ID, state.weekly_counts),
        teaches=n_alike <= config.weekly_training_events if n_alike else state.n_uncounted < UNCOUNTED,
        is_first=state.counts[kind] == 0,
    )
    recent_events = [*state.recent_events, entry]
    if len(recent_events) > 1 and entry.order < recent_events[-2].order:
        recent_events.pop()
        insort(recent_events, entry, key=lambda e: e.order)
    n_over = max(0, len(recent_events) - config.recent_events)
    counts = list(state.counts)
    counts[kind] += 1
    views, clicks, purchases = counts
    return UserState(
        recent_events=recent_events[n_over:],
        weekly_counts=weekly_counts,
        first_week=first_week,
        counts=(views, clicks, purchases),
        first_ms=entry.timestamp_ms if state.first_ms is None else min(state.first_ms, entry.timestamp_ms),
        offsets=offsets,
        arrivals=state.arrivals + 1,
        pending=[*state.pending, *recent_events[:n_over]],
        released=state.released,
        n_uncounted=state.n_uncounted + (n_alike == 0),
        recent_ids=state.recent_ids + _digests(recent_events[:n_over]),
        n_archived=state.n_archived,
        received_ms=state.received_ms,
        recent_searches=state.recent_searches,
        pending_searches=state.pending_searches,
    )


def fold_search(
    state: UserState, search: Search, offset: int, config: UserConfig, archived: Container[bytes] = frozenset()
) -> UserState:
    """Return the state after one search that is not applied yet; as ``fold``."""
    offsets = {**state.offsets, int(Source.SEARCH): offset}
    if _is_known(state, search.event_id, archived):
        return msgspec.structs.replace(state, offsets=offsets)
    entry = SearchEntry(
        timestamp_ms=search.timestamp_ms,
        event_id=search.event_id,
        query=search.query[:LONGEST_TEXT],
        item_id=search.item_id,
        offset=offset,
        arrival=state.arrivals,
    )
    recent_searches = list(state.recent_searches)
    insort(recent_searches, entry, key=lambda e: e.order)
    n_over = max(0, len(recent_searches) - config.recent_searches)
    return msgspec.structs.replace(
        state,
        offsets=offsets,
        arrivals=state.arrivals + 1,
        recent_searches=recent_searches[n_over:],
        pending_searches=[*state.pending_searches, *recent_searches[:n_over]],
        recent_ids=state.recent_ids + _digests(recent_searches[:n_over]),
    )


def n_in_week(state: UserState, week: int) -> int:
    """Return how many interactions of one week are counted."""
    begins, ends = (bisect_left(state.weekly_counts, each, key=_WEEK) for each in (week, week + 1))
    return sum(sum(count.counts) for count in state.weekly_counts[begins:ends])


def release(state: UserState, acknowledged: Mapping[int, int]) -> UserState:
    """Return the state without its pending entries, if the signals of all that it holds are acknowledged.

    Args:
        acknowledged: By ``Source``, the offset up to which all signals are known to be acknowledged.
    """
    if not state.pending and not state.pending_searches:
        return state
    # No entry has a larger offset than the state: where that is acknowledged, they all are.
    if any(offset > acknowledged.get(source, -1) for source, offset in state.offsets.items()) and any(
        e.offset > acknowledged.get(e.source, -1) for e in entries_of(state)
    ):
        return state
    return msgspec.structs.replace(state, pending=[], pending_searches=[], released=state.offsets)


def entries_of(state: UserState) -> list[Entry | SearchEntry]:
    """Return all events and searches that the state holds, in no order."""
    return [*state.recent_events, *state.pending, *state.recent_searches, *state.pending_searches]


def _is_known(state: UserState, event_id: str, archived: Container[bytes]) -> bool:
    if event_id in map(_EVENT_ID, state.recent_events) or event_id in map(_EVENT_ID, state.recent_searches):
        return True
    if not state.recent_ids and not archived:
        return False
    digest = seen.digest_of(event_id)
    return digest in archived or seen.has(state.recent_ids, digest)


def _digests(entries: Sequence[Entry | SearchEntry]) -> bytes:
    return b"".join([seen.digest_of(entry.event_id) for entry in entries])


def _count(
    weekly_counts: list[WeeklyCount], first_week: int, event: Interaction, kind: Kind, bound: int
) -> tuple[list[WeeklyCount], int, int]:
    """Return the weekly counts with one more interaction, the first week still in them, and how many are alike by now.

    Alike are those of one kind with one item in one week; 0 where the weekly counts have no room for this one.

    Kept are the newest week, and every earlier one as long as all together stay within the bound. Both only become
    stricter as events come in, so a week or item once dropped would be dropped in any order of arrival. A single
    week over the bound keeps the items with the smallest digests: an arbitrary choice, but the same in any order.
    """
    week = event.timestamp_ms // WEEK_MS
    if week < first_week:
        return weekly_counts, first_week, 0
    counted = list(weekly_counts)
    counts = [0, 0, 0]
    last_ms = event.timestamp_ms
    index = bisect_left(weekly_counts, (week, event.item_id), key=lambda t: (t.week, t.item_id))
    if index < len(counted) and counted[index].week == week and counted[index].item_id == event.item_id:
        old = counted.pop(index)
        counts = list(old.counts)
        last_ms = max(last_ms, old.last_ms)
    counts[kind] += 1
    views, clicks, purchases = counts
    counted.insert(index, WeeklyCount(week, event.item_id, (views, clicks, purchases), last_ms))
    if len(counted) <= bound:
        return counted, first_week, counts[kind]
    oldest = counted[0].week
    if oldest == counted[-1].week:
        dropped = max(counted, key=lambda t: seen.digest_of(t.item_id))
        counted.remove(dropped)
        return counted, first_week, 0 if dropped.item_id == event.item_id else counts[kind]
    return [t for t in counted if t.week != oldest], oldest + 1, 0 if oldest == week else counts[kind]


_EVENT_ID = attrgetter("event_id")
_ITEM_ID = attrgetter("item_id")
_WEEK = attrgetter("week")
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(UserState)
