"""Events of one user applied to the user's state, with the signals they send to the item stage.

A signal pairs its event with what had arrived before it and teaches too (``Entry.teaches``): what one user does over
and over is not there for anybody else. After a crash the very same signal must be sent again, in the order of source
offsets, and perhaps long after the state has gone on: events of other topics come in any order between. So the state
keeps the arrival number of each event, and what leaves the recent events stays ``pending`` in it until the signals of
all this user's events are known to be acknowledged. In the steady run that is one batch later; what is released by then
is never made again, because what it was made of may be gone.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from itertools import chain
from operator import attrgetter

import msgspec
from msgspec import Struct

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.slate import AsOf
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.visits import visitor_of
from stream_rec.user import seen
from stream_rec.user.pairs import WINDOW, before_newest, changes
from stream_rec.user.seen import Archive, Chunk
from stream_rec.user.state import Entry, UserConfig, UserState, fold, is_applied, n_in_week, release


class Arrival(Struct, frozen=True):
    """One valid event as it came from its topic."""

    event: Interaction
    kind: Kind
    partition: int
    offset: int
    received_ms: int = 0
    """The broker's time of its record; without a broker there is none."""

    @property
    def as_of(self) -> AsOf:
        """What a list that goes out on it says that it was made on."""
        return AsOf(self.kind.topic, self.partition, self.offset, self.event.event_id, self.event.timestamp_ms)


class Advance(Struct, frozen=True):
    """What a batch of one user's arrivals leads to."""

    state: UserState
    is_changed: bool
    """False where every arrival had been applied before."""
    signals: list[Signal]
    """Of fresh events and, again, of those applied before: to be sent once ``state`` is acknowledged."""
    training_events: list[Arrival]
    """Fresh events, each once, that may teach the head and items' factors: those that send signals, while they are few
    enough in their week."""
    chunks: dict[int, Chunk]
    """By number, the chunks of the user's archive to be written: before ``state``, and with it."""
    n_duplicates: int
    """Fresh arrivals of events that had come before."""


def advance(
    state: UserState,
    arrivals: list[Arrival],
    config: UserConfig,
    acknowledged: Mapping[int, int],
    archive: Archive = seen.nothing,
) -> Advance:
    """Return the state after ``arrivals``, given in the order in which they came.

    An arrival at or below the state's offset was applied before and changes nothing, but its signal is made again.

    >>> came = [Interaction("e1", "ann", "pot", 1_000), Interaction("e2", "ann", "cup", 2_000)]
    >>> arrivals = [Arrival(event, Kind.VIEW, partition=0, offset=offset) for offset, event in enumerate(came)]
    >>> after = advance(UserState(), arrivals, UserConfig(), acknowledged={})
    >>> [entry.item_id for entry in after.state.recent_events], after.state.counts
    (['pot', 'cup'], (2, 0, 0))
    >>> [(signal.item_id, signal.pairs) for signal in after.signals]
    [('pot', []), ('cup', [('pot', 12)])]

    Args:
        acknowledged: By ``Kind``, the source offset up to which all signals are known to be acknowledged.
        archive: The user's.
    """
    fresh = [a for a in arrivals if not is_applied(state, a.kind, a.offset)]
    after = release(state, acknowledged) if fresh else state
    signals: list[Signal] | None = [] if len(fresh) == len(arrivals) and _has_newest_events(after, config) else None
    training_events = []
    n_duplicates = 0
    known = _in_archive(state, fresh, archive)
    for arrival in fresh:
        before, after = after, fold(after, arrival.event, arrival.kind, arrival.offset, config, known)
        entry = _newcomer(before, after)
        if entry is None:
            n_duplicates += 1
            continue
        if not entry.teaches:
            continue
        if after.n_uncounted == before.n_uncounted and n_in_week(after, entry.week) <= config.weekly_choices:
            training_events.append(arrival)
        if signals is not None:
            made = _signals_in_order(before, after, entry, arrival)
            signals = None if made is None else signals + made
    if signals is None:
        signals = _signals(after, arrivals, config)
    chunks: dict[int, Chunk] = {}
    if fresh:
        after, chunks = _archive(after, max(map(_RECEIVED_MS, fresh)), archive)
    return Advance(
        state=after,
        is_changed=bool(fresh),
        signals=signals,
        training_events=training_events,
        chunks=chunks,
        n_duplicates=n_duplicates,
    )


def _in_archive(state: UserState, fresh: list[Arrival], archive: Archive) -> set[bytes]:
    """Return the digests of those events that the archive holds."""
    if not fresh or not state.n_archived:
        return set()
    return seen.find_known([seen.digest_of(a.event.event_id) for a in fresh], archive, state.n_archived)


def _archive(state: UserState, received_ms: int, archive: Archive) -> tuple[UserState, dict[int, Chunk]]:
    """Return the state with no more than ``seen.RECENT`` digests, and the chunks that have the others."""
    received_ms = max(state.received_ms, received_ms)
    n = len(state.recent_ids) // seen.DIGEST_BYTES
    if n <= seen.RECENT:
        if received_ms == state.received_ms:
            return state, {}
        return msgspec.structs.replace(state, received_ms=received_ms), {}
    chunks = seen.archive_digests(state.recent_ids, received_ms, archive, state.n_archived)
    n_archived = state.n_archived + n
    return msgspec.structs.replace(state, received_ms=received_ms, recent_ids=b"", n_archived=n_archived), chunks


def _newcomer(before: UserState, after: UserState) -> Entry | None:
    """Return the entry that one ``fold`` made, or None where the event was a duplicate."""
    if after.arrivals == before.arrivals:
        return None
    entries = chain(reversed(after.recent_events), reversed(after.pending))  # it is most often the first
    return next(entry for entry in entries if entry.arrival == before.arrivals)


def _has_newest_events(state: UserState, config: UserConfig) -> bool:
    """Return whether the recent events are those that ``_signals`` would find: their bound may have been another."""
    if not state.pending:
        return len(state.recent_events) <= config.recent_events
    return len(state.recent_events) == config.recent_events and all(
        e.order < state.recent_events[0].order for e in state.pending
    )


def _signals_in_order(before: UserState, after: UserState, entry: Entry, arrival: Arrival) -> list[Signal] | None:
    """Return what ``_signals`` gives for one fresh arrival, or None where it must look: the event came late.

    Nearly every event is its user's newest. Then only those just before it count, and no other item moves.

    Args:
        before: The state just before ``arrival``, its recent events as of ``_has_newest_events``.
        entry: What ``arrival`` became; it teaches.
    """
    if entry.order < after.recent_events[0].order:  # older than all of them
        return None
    recent_events = list(filter(_TEACHES, before.recent_events))
    start = max(0, len(recent_events) - WINDOW)
    while start > 0 and recent_events[start - 1].timestamp_ms == recent_events[start].timestamp_ms:
        start -= 1
    nearest = sorted(recent_events[start:], key=_LOG_ORDER)
    if nearest and nearest[-1].log_order > entry.log_order:
        return None
    own = Signal(
        item_id=entry.item_id,
        kind=entry.kind,
        partition=arrival.partition,
        offset=entry.offset,
        seen_ms=entry.timestamp_ms,
        pairs=before_newest(nearest, entry.item_id),
        visitor=visitor_of(arrival.event.user_id),
        again=entry.again,
        is_first=entry.is_first,
    )
    return [own]


def _signals(state: UserState, arrivals: list[Arrival], config: UserConfig) -> list[Signal]:
    """Return the signals of those ``arrivals`` that are still pending, in the order of their first arrival."""
    by_arrival = sorted([*state.recent_events, *state.pending], key=lambda e: e.arrival)
    index_of = {(entry.kind, entry.offset): index for index, entry in enumerate(by_arrival) if entry.teaches}
    wanted = {
        index_of[source]: arrival
        for arrival in arrivals
        if (source := (int(arrival.kind), arrival.offset)) in index_of  # a duplicate has no entry, others do not teach
        and arrival.offset > state.released.get(arrival.kind, -1)
    }
    if not wanted:
        return []
    made: list[Signal] = []
    first = min(wanted)
    # The recent events as they were when each event arrived, and those of them that teach as they stand in the log.
    recent_events = sorted(by_arrival[:first], key=lambda e: e.order)[-config.recent_events :]
    sequence = sorted(filter(_TEACHES, recent_events), key=lambda e: e.log_order)
    for index, entry in enumerate(by_arrival[first : max(wanted) + 1], start=first):
        insort(recent_events, entry, key=lambda e: e.order)
        if entry.teaches:
            insort(sequence, entry, key=lambda e: e.log_order)
        oldest = recent_events.pop(0) if len(recent_events) > config.recent_events else None
        if index in wanted:
            # An event older than all of them leaves at once: it has no pairs.
            made += _signals_of(sequence if oldest is not entry else [entry], entry, wanted[index])
        if oldest is not None and oldest.teaches:
            sequence.remove(oldest)
    return made


def _signals_of(sequence: list[Entry], entry: Entry, arrival: Arrival) -> list[Signal]:
    """Return what one event teaches: about its own item first, then about items that it moved away from others."""
    by_item: dict[str, list[tuple[str, int]]] = {entry.item_id: []}
    index = bisect_left(sequence, entry.log_order, key=lambda e: e.log_order)
    for (earlier, later), change in changes(sequence, index).items():
        by_item.setdefault(later, []).append((earlier, change))
    own, *others = (
        Signal(item_id=item_id, kind=entry.kind, partition=arrival.partition, offset=entry.offset, pairs=pairs)
        for item_id, pairs in by_item.items()
    )
    visit = msgspec.structs.replace(
        own,
        seen_ms=entry.timestamp_ms,
        visitor=visitor_of(arrival.event.user_id),
        again=entry.again,
        is_first=entry.is_first,
    )
    return [visit, *others]


_TEACHES = attrgetter("teaches")
_RECEIVED_MS = attrgetter("received_ms")
_LOG_ORDER = attrgetter("timestamp_ms", "kind", "offset")
"""``Entry.log_order`` as a sort key, in a third of the time."""
