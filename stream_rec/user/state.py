"""One user's state: facts only, bounded, a function of the set of events and not of their arrival order.

The ring holds the newest events whole. The tally counts interactions per item and week, as far back as its bound
reaches: whole weeks leave it, oldest first, and a late event of such a week is not let in again. So both are what
they would be had the events come in any other order. Duplicates (same ``event_id``) are dropped, whatever their event
time: the ring knows the ids of its events, and of those that have left it ``seen.py`` keeps digests.

One user teaches the others only so much, whoever sends however many events in the user's name: of one kind, with one
item, in one week ``UserConfig.weekly_lessons`` events. The tally counts them; what it cannot count (its week has left
it, or is too full) teaches ``UNCOUNTED`` times in the user's life. Everything else is the user's own: it is folded, and
sends no signal.

What is not a fact is bookkeeping for exactness: offsets, arrival numbers, which events teach, digests of ids, and
``unsettled`` entries, which have left the ring but whose signals may have to be sent once more after a crash (see
``advance.py``).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Container, Mapping
from operator import attrgetter
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream_rec.events.codec import Count, EventTime, KindNumber, Offset, versioned
from stream_rec.events.interaction import Id, Interaction, Kind
from stream_rec.user import seen

WEEK_MS = 7 * 86_400_000
VERSION = 4
UNCOUNTED = 512
"""As many as a tally holds by default: three topics of a long past that are read far out of step lose no lesson."""


class UserConfig(Struct, frozen=True, kw_only=True):
    """Bounds of one user's state."""

    ring: Annotated[int, Meta(ge=16, le=1024)] = 64
    """Newest events kept whole."""
    tally: Annotated[int, Meta(ge=16, le=16_384)] = 512
    """Counts kept, one for each item and week."""
    weekly_lessons: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    """Events of one kind with one item in one week from which others learn; more change only the user's own lists."""
    weekly_choices: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Events of a week that teach how lists are ranked, for everybody."""
    deduplication_window_s: Annotated[int, Meta(ge=3600, le=315_360_000)] = 604_800
    """How long the same ``event_id`` of one user is the same event, by the broker's time of its records; later it may
    count again. By default as long as topics keep events."""


class Entry(Struct, frozen=True, array_like=True):
    """One event in the ring. Its source is the topic of its ``kind``."""

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
    """Whether the item was in the tally before. Bookkeeping: after a crash the same signal must be sent again."""
    teaches: bool = True
    """Whether others learn from it. Bookkeeping, for the same reason."""

    @property
    def week(self) -> int:
        """Of the event's time, since 1970."""
        return self.timestamp_ms // WEEK_MS

    @property
    def order(self) -> tuple[int, str]:
        """Position in the ring: by event time, ties by event id."""
        return self.timestamp_ms, self.event_id

    @property
    def log_order(self) -> tuple[int, int, int]:
        """Position in the user's sequence of items: by event time, ties as they stand in their topics."""
        return self.timestamp_ms, self.kind, self.offset


class Tally(Struct, frozen=True, array_like=True):
    """How often one item was interacted with in one week."""

    week: int
    item_id: str
    counts: tuple[Count, Count, Count]
    """By ``Kind``."""
    last_ms: int


class UserState(Struct, frozen=True, array_like=True):
    """All that is known of one user. Lists are never changed in place."""

    version: int = VERSION
    ring: list[Entry] = []
    """Ordered by ``Entry.order``, newest last."""
    tally: list[Tally] = []
    """Ordered by (week, item_id)."""
    first_week: Annotated[int, Meta(ge=-1, le=2**53)] = -1
    """Weeks before this one have left the tally for good."""
    counts: tuple[Count, Count, Count] = (0, 0, 0)
    """All interactions ever, by ``Kind``."""
    first_ms: EventTime | None = None
    """Event time of the earliest event."""
    offsets: dict[KindNumber, Offset] = {}
    """Last applied source offset, by ``Kind``."""
    arrivals: Count = 0
    unsettled: list[Entry] = []
    """Entries that have left the ring, and whose signals or neighbours' signals may have to be sent again."""
    settled: dict[KindNumber, Offset] = {}
    """By ``Kind``, the offset up to which no signal has to be sent again, as of when ``unsettled`` was last emptied."""
    n_uncounted: Count = 0
    """Events that the tally could not count."""
    recent_ids: bytes = b""
    """Digests (``seen.digest_of``) of ids that have left the ring, in this order, and are not archived yet."""
    n_archived: Count = 0
    """How many such digests have gone to the archive, ever."""
    received_ms: EventTime = 0
    """When the newest event came, by the broker's clock."""

    @property
    def newest(self) -> Entry | None:
        """The newest event in event time."""
        return self.ring[-1] if self.ring else None

    @property
    def is_cold(self) -> bool:
        """Whether nothing is known of this user."""
        return not self.ring


COLD = UserState()


def encode(state: UserState) -> bytes:
    """Return the bytes that a table keeps."""
    return _ENCODER.encode(state)


def decode(data: bytes) -> UserState:
    """Return the state in ``data``, as this version has it.

    Raises:
        StateVersionError: written by a newer program, or not a user state at all.
    """
    state = versioned(data, _DECODER, what="user state", version=VERSION)
    if state.version == VERSION:
        return state
    # Before version 4 only the ring knew what had come; of what has left it no more is there than this.
    return msgspec.structs.replace(state, version=VERSION, recent_ids=_digests(state.unsettled))


def facts(state: UserState) -> bytes:
    """Return the facts alone, as bytes that are equal exactly when the facts are."""
    ring = [(e.timestamp_ms, e.event_id, e.item_id, e.kind, e.value) for e in state.ring]
    return _ENCODER.encode((ring, state.tally, state.first_week, state.counts, state.first_ms))


def digest(states: dict[str, UserState]) -> str:
    """Return one hexadecimal digest of the facts of many users."""
    hasher = hashlib.blake2b(digest_size=16)
    for user_id in sorted(states):
        hasher.update(msgspec.msgpack.encode((user_id, facts(states[user_id]))))
    return hasher.hexdigest()


def is_applied(state: UserState, kind: Kind, offset: int) -> bool:
    """Return whether the event at ``offset`` of the topic of ``kind`` is already in the state."""
    return offset <= state.offsets.get(kind, -1)


def fold(
    state: UserState,
    event: Interaction,
    kind: Kind,
    offset: int,
    config: UserConfig,
    archived: Container[bytes] = frozenset(),
) -> UserState:
    """Return the state after one event that is not applied yet.

    An event whose id is known is a duplicate: only its offset is noted. What falls out of the ring goes to
    ``unsettled``, where it stays until ``settle``, and its digest to ``recent_ids``.

    Args:
        archived: Digests that the user's archive holds, this event's among them if it does.
    """
    offsets = {**state.offsets, int(kind): offset}
    if _is_known(state, event.event_id, archived):
        return msgspec.structs.replace(state, offsets=offsets)
    tally, first_week, n_alike = _count(state.tally, state.first_week, event, kind, config.tally)
    entry = Entry(
        timestamp_ms=event.timestamp_ms,
        event_id=event.event_id,
        item_id=event.item_id,
        kind=int(kind),
        value=event.value,
        offset=offset,
        arrival=state.arrivals,
        again=event.item_id in map(_ITEM_ID, state.tally),
        teaches=n_alike <= config.weekly_lessons if n_alike else state.n_uncounted < UNCOUNTED,
    )
    ring = [*state.ring, entry]
    if len(ring) > 1 and entry.order < ring[-2].order:
        ring.pop()
        insort(ring, entry, key=lambda e: e.order)
    n_over = max(0, len(ring) - config.ring)
    counts = list(state.counts)
    counts[kind] += 1
    return UserState(
        ring=ring[n_over:],
        tally=tally,
        first_week=first_week,
        counts=tuple(counts),
        first_ms=entry.timestamp_ms if state.first_ms is None else min(state.first_ms, entry.timestamp_ms),
        offsets=offsets,
        arrivals=state.arrivals + 1,
        unsettled=[*state.unsettled, *ring[:n_over]],
        settled=state.settled,
        n_uncounted=state.n_uncounted + (n_alike == 0),
        recent_ids=state.recent_ids + _digests(ring[:n_over]),
        n_archived=state.n_archived,
        received_ms=state.received_ms,
    )


def n_in_week(state: UserState, week: int) -> int:
    """Return how many interactions of one week the tally counts."""
    begins, ends = (bisect_left(state.tally, each, key=_WEEK) for each in (week, week + 1))
    return sum(sum(tally.counts) for tally in state.tally[begins:ends])


def settle(state: UserState, safe: Mapping[int, int]) -> UserState:
    """Return the state without its unsettled entries, if the signals of all its events are safe.

    Args:
        safe: By ``Kind``, the source offset up to which all signals are known to be acknowledged.
    """
    if not state.unsettled:
        return state
    # No entry has a larger offset than the state: where that is safe, they all are.
    if any(offset > safe.get(kind, -1) for kind, offset in state.offsets.items()) and any(
        e.offset > safe.get(e.kind, -1) for e in [*state.ring, *state.unsettled]
    ):
        return state
    return msgspec.structs.replace(state, unsettled=[], settled=state.offsets)


def _is_known(state: UserState, event_id: str, archived: Container[bytes]) -> bool:
    if event_id in map(_EVENT_ID, state.ring):
        return True
    if not state.recent_ids and not archived:
        return False
    digest = seen.digest_of(event_id)
    return digest in archived or seen.has(state.recent_ids, digest)


def _digests(entries: list[Entry]) -> bytes:
    return b"".join([seen.digest_of(entry.event_id) for entry in entries])


def _count(
    tally: list[Tally], first_week: int, event: Interaction, kind: Kind, bound: int
) -> tuple[list[Tally], int, int]:
    """Return the tally with one more interaction, the first week that is still in it, and how many are alike by now.

    Alike are those of one kind with one item in one week; 0 where the tally has no room for this one.

    Kept are the newest week, and every earlier one as long as all together stay within the bound. Both only become
    stricter as events come in, so a week or item once dropped would be dropped in any order of arrival. A single
    week over the bound keeps the items with the smallest digests: an arbitrary choice, but the same in any order.
    """
    week = event.timestamp_ms // WEEK_MS
    if week < first_week:
        return tally, first_week, 0
    counted = list(tally)
    counts = [0, 0, 0]
    last_ms = event.timestamp_ms
    at = bisect_left(tally, (week, event.item_id), key=lambda t: (t.week, t.item_id))
    if at < len(tally) and tally[at].week == week and tally[at].item_id == event.item_id:
        old = counted.pop(at)
        counts = list(old.counts)
        last_ms = max(last_ms, old.last_ms)
    counts[kind] += 1
    counted.insert(at, Tally(week, event.item_id, tuple(counts), last_ms))
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
