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

What the user was shown is kept twice: the last impressions whole, in which choices are looked up, and counts by item
and six hours, as far back as their bound reaches, which say what the user is tired of.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Container, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from stream_rec.errors import StateVersionError
from stream_rec.events.codec import Count, EventTime, KindNumber, Offset, SourceNumber, decode_versioned
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Id, Interaction, Kind
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.knowledge import contexts
from stream_rec.knowledge.contexts import ContextNumbers
from stream_rec.knowledge.slots import N_SLOTS, slot_of, usual_examination
from stream_rec.user import by_period, seen

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
SHOWN_PERIOD_MS = DAY_MS // 4
VERSION = 8
LONGEST_TEXT = 256
"""Characters kept of a search's query: what comes after them finds nothing."""
TEACHES_NOBODY = -1
"""In place of a slot: where the user has been shown the item too often that day."""
SlotNumber = Annotated[int, Meta(ge=TEACHES_NOBODY, lt=N_SLOTS)]
UNCOUNTED = 512
"""As many weekly counts as are kept by default: three topics of a long past, read far out of step, lose none."""


MOST_PENDING_BYTES = 1 << 18
"""Of pending impressions, about. A batch with more of one user's, which nobody looks at, teaches nobody by the others:
a state must fit into a record."""
FEW_PENDING = 16
"""Pending impressions for which there is room, whatever is in them."""
MOST_UNCOUNTED_SHOWN = 2_048
"""Of the items that were shown within six hours, and that the counts cannot hold, so many teach all the same."""
LONGEST_FEATURES = 1 << 14
"""Bytes kept of what was known of an impression's items."""


class UserConfig(Struct, frozen=True, kw_only=True):
    """Bounds of one user's state."""

    recent_events: Annotated[int, Meta(ge=16, le=1024)] = 64
    """Newest events kept whole."""
    recent_searches: Annotated[int, Meta(ge=1, le=256)] = 16
    """Newest searches kept."""
    recent_impressions: Annotated[int, Meta(ge=1, le=64)] = 8
    """Newest impressions kept whole: among them is looked for what a choice was made from. More than 32 of the largest
    could outgrow a record."""
    shown_counts: Annotated[int, Meta(ge=16, le=4_096)] = 256
    """Counts kept of what the user was shown, one for each item and six hours. More than 1,024 of the longest ids could
    outgrow a record."""
    training_impressions: Annotated[int, Meta(ge=1, le=1_000_000)] = 5
    """Impressions of one item in six hours from which others learn; more change only the user's own lists."""
    weekly_counts: Annotated[int, Meta(ge=16, le=16_384)] = 512
    """Counts kept, one for each item and week."""
    weekly_training_events: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    """Events of one kind with one item in one week from which others learn; more change only the user's own lists."""
    weekly_choices: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Events of a week that teach how lists are ranked, for everybody."""
    context_keys: Annotated[str, Meta(pattern=contexts.KEYS_PATTERN)] = "country,device,hour,surface"
    """Keys of events' `context` that lists depend on, at most 8 with commas between; empty: none. Values are texts of
    at most 64 characters, whole numbers, true or false. Append new keys: what is learned goes by their order."""
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
    contexts: ContextNumbers = ()
    """Of its context what ``UserConfig.context_keys`` declared when it came."""

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
    contexts: ContextNumbers = ()
    """As of ``Entry``."""

    @property
    def source(self) -> int:
        """Of its topic."""
        return Source.SEARCH

    @property
    def order(self) -> tuple[int, str]:
        """Order of the recent searches: by event time, ties by event id."""
        return self.timestamp_ms, self.event_id


class ImpressionEntry(Struct, frozen=True, array_like=True):
    """One of the recent impressions."""

    timestamp_ms: EventTime
    event_id: str
    item_ids: list[Id]
    slots: list[SlotNumber]
    """Of the items in turn, ``TEACHES_NOBODY`` for those from which others do not learn. Bookkeeping, as
    ``Entry.teaches``."""
    offset: Offset
    """In ``impressions``."""
    arrival: Count
    """As of ``Entry``: all that comes is counted together."""
    features: Annotated[bytes, Meta(max_length=LONGEST_FEATURES)] = b""
    """What was known of the items just before, while it waits for what is chosen: see ``ranking/shown.py``.
    Bookkeeping: it teaches once."""

    @property
    def source(self) -> int:
        """Of its topic."""
        return Source.IMPRESSION

    @property
    def order(self) -> tuple[int, str]:
        """Order of the recent impressions: by event time, ties by event id."""
        return self.timestamp_ms, self.event_id


class ShownCount(Struct, frozen=True, array_like=True):
    """How often the user was shown one item in six hours."""

    period: int
    """Of ``SHOWN_PERIOD_MS``, since 1970."""
    item_id: str
    n: Count
    examined: Count
    """In how many of these the item was looked at, as slots usually are, in hundredths."""
    last_ms: int


class WeeklyCount(Struct, frozen=True, array_like=True):
    """How often one item was interacted with in one week."""

    week: int
    item_id: str
    counts: tuple[Count, Count, Count]
    """By ``Kind``."""
    last_ms: int

    @property
    def period(self) -> int:
        """The week."""
        return self.week


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

    @property
    def newest(self) -> Entry | None:
        """The newest event in event time."""
        return self.recent_events[-1] if self.recent_events else None

    @property
    def is_cold(self) -> bool:
        """Whether nothing is known of this user."""
        return not self.recent_events and not self.recent_searches and not self.recent_impressions


COLD = UserState()
AnyEntry = Entry | SearchEntry | ImpressionEntry
EntryT = TypeVar("EntryT", Entry, SearchEntry, ImpressionEntry)


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
        # 4 did not say which events were a user's first, 5 had no searches, 6 no impressions, 7 no contexts.
        return msgspec.structs.replace(state, version=VERSION)
    # Before version 4 only the recent events knew what had come; of what has left it no more is there than this.
    return msgspec.structs.replace(state, version=VERSION, recent_ids=_digests(state.pending))


def facts(state: UserState) -> bytes:
    """Return the facts alone, as bytes that are equal exactly when the facts are."""
    recent_events = [(e.timestamp_ms, e.event_id, e.item_id, e.kind, e.value, e.contexts) for e in state.recent_events]
    searches = [(e.timestamp_ms, e.event_id, e.query, e.item_id, e.contexts) for e in state.recent_searches]
    impressions = [(e.timestamp_ms, e.event_id, e.item_ids) for e in state.recent_impressions]
    counted = state.weekly_counts, state.first_week, state.counts, state.first_ms
    shown = state.shown_counts, state.first_shown_period
    return _ENCODER.encode((recent_events, *counted, searches, impressions, *shown))


def digest(states: dict[str, UserState]) -> str:
    """Return one hexadecimal digest of the facts of many users."""
    hasher = hashlib.blake2b(digest_size=16)
    for user_id in sorted(states):
        hasher.update(msgspec.msgpack.encode((user_id, facts(states[user_id]))))
    return hasher.hexdigest()


def is_applied(state: UserState, source: int, offset: int) -> bool:
    """Return whether what stands at ``offset`` of the topic of ``source`` is already in the state."""
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
        contexts=contexts.numbers_of(event.context, config.context_keys),
    )
    recent_events, left = _insert(state.recent_events, entry, config.recent_events)
    counts = list(state.counts)
    counts[kind] += 1
    views, clicks, purchases = counts
    return msgspec.structs.replace(
        state,
        recent_events=recent_events,
        weekly_counts=weekly_counts,
        first_week=first_week,
        counts=(views, clicks, purchases),
        first_ms=entry.timestamp_ms if state.first_ms is None else min(state.first_ms, entry.timestamp_ms),
        offsets=offsets,
        arrivals=state.arrivals + 1,
        pending=[*state.pending, *left],
        n_uncounted=state.n_uncounted + (n_alike == 0),
        recent_ids=state.recent_ids + _digests(left),
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
        contexts=contexts.numbers_of(search.context, config.context_keys),
    )
    recent_searches, left = _insert(state.recent_searches, entry, config.recent_searches)
    return msgspec.structs.replace(
        state,
        offsets=offsets,
        arrivals=state.arrivals + 1,
        recent_searches=recent_searches,
        pending_searches=[*state.pending_searches, *left],
        recent_ids=state.recent_ids + _digests(left),
    )


def fold_impression(
    state: UserState,
    impression: Impression,
    offset: int,
    config: UserConfig,
    archived: Container[bytes] = frozenset(),
) -> UserState:
    """Return the state after one impression that is not applied yet; as ``fold``."""
    offsets = {**state.offsets, int(Source.IMPRESSION): offset}
    if _is_known(state, impression.event_id, archived):
        return msgspec.structs.replace(state, offsets=offsets)
    counts, first, n_alike = _count_shown(state, impression, config)
    period = impression.timestamp_ms // SHOWN_PERIOD_MS
    uncounted_in, n_uncounted = state.uncounted_shown
    if period > uncounted_in:
        uncounted_in, n_uncounted = period, 0
    is_crowded = _is_crowded(state.pending_impressions)
    slots = []
    for shown, n in zip(impression.items, n_alike):
        teaches = n <= config.training_impressions if n else n_uncounted < MOST_UNCOUNTED_SHOWN
        slots.append(slot_of(shown.position) if teaches and not is_crowded else TEACHES_NOBODY)
        n_uncounted += n == 0
    entry = ImpressionEntry(
        timestamp_ms=impression.timestamp_ms,
        event_id=impression.event_id,
        item_ids=[shown.item_id for shown in impression.items],
        slots=slots,
        offset=offset,
        arrival=state.arrivals,
    )
    recent_impressions, left = _insert(state.recent_impressions, entry, config.recent_impressions)
    left = [msgspec.structs.replace(each, features=b"") for each in left]
    return msgspec.structs.replace(
        state,
        offsets=offsets,
        arrivals=state.arrivals + 1,
        recent_impressions=recent_impressions,
        pending_impressions=[*state.pending_impressions, *(e for e in left if not is_crowded or _teaches_any(e))],
        shown_counts=counts,
        first_shown_period=first,
        uncounted_shown=(uncounted_in, n_uncounted),
        recent_ids=state.recent_ids + _digests(left),
    )


def put_features(state: UserState, features: Mapping[str, bytes]) -> UserState:
    """Return the state with other ``features`` of some recent impressions, by ``event_id``."""
    return msgspec.structs.replace(
        state,
        recent_impressions=[
            msgspec.structs.replace(entry, features=features.get(entry.event_id, entry.features))
            for entry in state.recent_impressions
        ],
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


def _insert(recent: Sequence[EntryT], entry: EntryT, bound: int) -> tuple[list[EntryT], list[EntryT]]:
    """Return the newest entries with one more, ``bound`` at most, and those that leave for it; most come in time."""
    entries = list(recent)
    if entries and entry.order < entries[-1].order:
        insort(entries, entry, key=lambda e: e.order)
    else:
        entries.append(entry)
    n_over = max(0, len(entries) - bound)
    return entries[n_over:], entries[:n_over]


def _is_known(state: UserState, event_id: str, archived: Container[bytes]) -> bool:
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


def _is_possible(impression: ImpressionEntry) -> bool:
    n = len(impression.item_ids)
    return n > 0 and n == len(impression.slots) == len(set(impression.item_ids))


def _digests(entries: Sequence[AnyEntry]) -> bytes:
    return b"".join([seen.digest_of(entry.event_id) for entry in entries])


def _is_crowded(pending: Sequence[ImpressionEntry]) -> bool:
    """Return whether there is no room for more pending impressions."""
    return sum(map(_n_bytes, pending)) > MOST_PENDING_BYTES if len(pending) > FEW_PENDING else False


def _n_bytes(entry: ImpressionEntry) -> int:
    """Return about how many bytes an impression takes in a state: never less than it does."""
    return 64 + 4 * len(entry.event_id) + sum(4 + len(item_id.encode()) for item_id in entry.item_ids)


def _teaches_any(entry: ImpressionEntry) -> bool:
    return any(slot != TEACHES_NOBODY for slot in entry.slots)


def _count_shown(
    state: UserState, impression: Impression, config: UserConfig
) -> tuple[list[ShownCount], int, list[int]]:
    """Return the counts after an impression, the first period in them, and how often each item was shown in its period.

    0 for an item that they have no room for.
    """
    counts, first = state.shown_counts, state.first_shown_period
    period = impression.timestamp_ms // SHOWN_PERIOD_MS
    if period < first:
        return counts, first, [0] * len(impression.items)
    new = [_count_one(counts, period, shown, impression.timestamp_ms) for shown in impression.items]
    salt = f"{impression.user_id}/{period}/"
    counts, first = by_period.put(counts, first, new, config.shown_counts, salt)
    kept = {count.item_id for count in counts if count.period == period}
    return counts, first, [count.n if count.item_id in kept else 0 for count in new]


def _count_one(counts: Sequence[ShownCount], period: int, shown: ShownItem, timestamp_ms: int) -> ShownCount:
    """Return the count of an item after it was shown once more."""
    examined = round(100 * usual_examination(shown.position))
    old = by_period.find(counts, period, shown.item_id)
    if old is None:
        return ShownCount(period, shown.item_id, 1, examined, timestamp_ms)
    last_ms = max(old.last_ms, timestamp_ms)
    return ShownCount(period, shown.item_id, old.n + 1, old.examined + examined, last_ms)


def _count(
    weekly_counts: list[WeeklyCount], first_week: int, event: Interaction, kind: Kind, bound: int
) -> tuple[list[WeeklyCount], int, int]:
    """Return the weekly counts with one more interaction, the first week still in them, and how many are alike by now.

    Alike are those of one kind with one item in one week; 0 where the weekly counts have no room for this one.
    """
    week = event.timestamp_ms // WEEK_MS
    if week < first_week:
        return weekly_counts, first_week, 0
    old = by_period.find(weekly_counts, week, event.item_id)
    counts = [0, 0, 0] if old is None else list(old.counts)
    counts[kind] += 1
    views, clicks, purchases = counts
    last_ms = event.timestamp_ms if old is None else max(event.timestamp_ms, old.last_ms)
    count = WeeklyCount(week, event.item_id, (views, clicks, purchases), last_ms)
    counted, first_week = by_period.put(weekly_counts, first_week, [count], bound)
    is_kept = by_period.find(counted, week, event.item_id) is not None
    return counted, first_week, counts[kind] if is_kept else 0


_EVENT_ID = attrgetter("event_id")
_ITEM_ID = attrgetter("item_id")
_WEEK = attrgetter("week")
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(UserState)
