"""Events, searches and impressions of one user applied to the user's state, with their signals to the item stage.

A signal pairs its event with what had arrived before it and teaches too (``Entry.teaches``): what one user does over
and over is not there for anybody else. After a crash the very same signal must be sent again, in the order of source
offsets, and perhaps long after the state has gone on: events of other topics come in any order between. So the state
keeps the arrival number of each event, and what leaves the recent events stays ``pending`` in it until the signals of
all this user's events are known to be acknowledged. In the steady run that is one batch later; what is released by then
is never made again, because what it was made of may be gone.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from itertools import chain
from operator import attrgetter

import msgspec
from msgspec import Struct

from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Kind, LoggedEvent
from stream_rec.events.search import Search
from stream_rec.events.slate import AsOf
from stream_rec.events.source import Source, UserEvent
from stream_rec.knowledge import contexts, queries
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.visits import visitor_of
from stream_rec.user import answers, conversions, pairs, seen
from stream_rec.user.answers import Answer
from stream_rec.user.outcomes import Outcome, Showing, end_impressions, find_showing
from stream_rec.user.pairs import WINDOW
from stream_rec.user.seen import Archive, Chunk
from stream_rec.user.state import (
    TEACHES_NOBODY,
    AnyEntry,
    Entry,
    ImpressionEntry,
    SearchEntry,
    UserConfig,
    UserState,
    entries_of,
    fold,
    fold_impression,
    fold_search,
    is_applied,
    n_in_week,
    release,
)


class Arrival(Struct, frozen=True):
    """One valid event, search or impression as it came from its topic."""

    event: UserEvent
    source: Source
    partition: int
    offset: int
    received_ms: int = 0
    """The broker's time of its record; without a broker there is none."""

    @property
    def as_of(self) -> AsOf:
        """What a list that goes out on it says that it was made on."""
        return AsOf(self.source.topic, self.partition, self.offset, self.event.event_id, self.event.timestamp_ms)


class Advance(Struct, frozen=True):
    """What a batch of one user's arrivals leads to."""

    state: UserState
    is_changed: bool
    """False where every arrival had been applied before."""
    signals: list[Signal]
    """Of fresh events and, again, of those applied before: to be sent once ``state`` is acknowledged."""
    choosing: UserState
    """The state of before, with the searches and impressions that came before the first training event: that is a
    choice after them."""
    training_events: list[LoggedEvent]
    """Fresh events, each once, that may teach the head and items' factors: those that send signals, while they are few
    enough in their week."""
    choosing_contexts: tuple[int, ...]
    """``ContextNumbers`` of the first training event: what was said where the user chose."""
    chunks: dict[int, Chunk]
    """By number, the chunks of the user's archive to be written: before ``state``, and with it."""
    n_duplicates: int
    """Fresh arrivals of events that had come before."""
    outcomes: list[Outcome]
    """What was chosen from impressions that others have followed by now, each once."""
    showing: Showing | None
    """The newest impression, if it is fresh, and the state before it: what is known of its items then, will teach."""


def advance(
    state: UserState,
    arrivals: list[Arrival],
    config: UserConfig,
    acknowledged: Mapping[int, int],
    archive: Archive = seen.nothing,
) -> Advance:
    """Return the state after ``arrivals``, given in the order in which they came.

    An arrival at or below the state's offset was applied before and changes nothing, but its signal is made again.

    >>> from stream_rec.events.interaction import Interaction
    >>> came = [Interaction("e1", "ann", "pot", 1_000), Interaction("e2", "ann", "cup", 2_000)]
    >>> arrivals = [Arrival(event, Source.VIEW, partition=0, offset=offset) for offset, event in enumerate(came)]
    >>> after = advance(UserState(), arrivals, UserConfig(), acknowledged={})
    >>> [entry.item_id for entry in after.state.recent_events], after.state.counts
    (['pot', 'cup'], (2, 0, 0))
    >>> [(signal.item_id, signal.pairs) for signal in after.signals]
    [('pot', []), ('cup', [('pot', 12)])]

    Args:
        acknowledged: By ``Source``, the offset up to which all signals are known to be acknowledged.
        archive: The user's.
    """
    fresh = [a for a in arrivals if not is_applied(state, a.source, a.offset)]
    after = release(state, acknowledged) if fresh else state
    signals: list[Signal] | None = [] if len(fresh) == len(arrivals) and _has_newest_events(after, config) else None
    training_events: list[LoggedEvent] = []
    choosing_contexts: tuple[int, ...] = ()
    n_duplicates = 0
    choosing = state
    outcomes: list[Outcome] = []
    showing: Showing | None = None
    has_event = False
    known = _in_archive(state, fresh, archive)
    for arrival in fresh:
        before = after
        if isinstance(arrival.event, Search):
            after = fold_search(before, arrival.event, arrival.offset, config, known)
            if not training_events:
                choosing = fold_search(choosing, arrival.event, arrival.offset, config, known)
            if after.arrivals == before.arrivals:
                n_duplicates += 1
            elif signals is not None and _may_change_answers(before, arrival.event):
                signals = None
            continue
        if isinstance(arrival.event, Impression):
            after = fold_impression(before, arrival.event, arrival.offset, config, known)
            if not training_events:
                choosing = (
                    fold_impression(choosing, arrival.event, arrival.offset, config, known) if has_event else after
                )
            if after.arrivals == before.arrivals:
                n_duplicates += 1
                continue
            after, ended = end_impressions(before, after, arrival.event, config)
            outcomes += ended
            showing = find_showing(before, after) or showing
            if signals is not None:
                made = _signals_of_newest_impression(before, after, arrival)
                signals = None if made is None else signals + made
            continue
        has_event = True
        kind = Kind(arrival.source)
        after = fold(before, arrival.event, kind, arrival.offset, config, known)
        entry = _newcomer(before, after)
        if entry is None:
            n_duplicates += 1
            continue
        after, ended = end_impressions(before, after, arrival.event, config)
        outcomes += ended
        if not entry.teaches:
            continue
        if after.n_uncounted == before.n_uncounted and n_in_week(after, entry.week) <= config.weekly_choices:
            choosing_contexts = choosing_contexts if training_events else entry.contexts
            training_events.append(LoggedEvent(kind, arrival.event))
        if signals is not None:
            made = _signals_in_order(before, after, entry, arrival, config)
            signals = None if made is None else signals + made
    if signals is None:
        signals = _signals(after, arrivals, config)
    chunks: dict[int, Chunk] = {}
    if fresh:
        after, chunks = _archive(after, max(map(_RECEIVED_MS, fresh)), archive)
    return Advance(
        state=after,
        is_changed=bool(fresh),
        choosing=choosing,
        signals=signals,
        training_events=training_events,
        choosing_contexts=choosing_contexts,
        chunks=chunks,
        n_duplicates=n_duplicates,
        outcomes=outcomes,
        showing=showing,
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
    """Return whether what is recent is what ``_signals`` would find: a bound may have been another."""
    return (
        _is_newest(state.recent_events, state.pending, config.recent_events)
        and _is_newest(state.recent_searches, state.pending_searches, config.recent_searches)
        and _is_newest(state.recent_impressions, state.pending_impressions, config.recent_impressions)
    )


def _is_newest(recent: Sequence[AnyEntry], pending: Sequence[AnyEntry], bound: int) -> bool:
    """Return whether ``recent`` has the newest of both, as many as ``bound`` allows."""
    if not pending:
        return len(recent) <= bound
    return len(recent) == bound and all(e.order < recent[0].order for e in pending)


def _may_change_answers(before: UserState, search: Search) -> bool:
    """Return whether an event that the state holds may answer a new search; nearly every search is its user's newest.

    The event that it is about does not, nor do others at the time of the search, if they are all about that item.
    """
    for entry in reversed(before.recent_events):
        if entry.timestamp_ms < search.timestamp_ms:
            return False
        if entry.timestamp_ms > search.timestamp_ms or entry.item_id != search.item_id:
            return True
    return False


def _signals_in_order(
    before: UserState, after: UserState, entry: Entry, arrival: Arrival, config: UserConfig
) -> list[Signal] | None:
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
    searches = answers.find_answerable(before.recent_searches, before.recent_events, config.recent_events)
    answered = answers.weigh_newest(recent_events, searches, entry)
    answers_of = _name_queries(answered).get(entry.item_id, [])
    impressions = answers.find_answerable(before.recent_impressions, before.recent_events, config.recent_events)
    chosen = _choices_of_newest(recent_events, impressions, entry)
    return [_visit(entry, arrival, pairs.before_newest(nearest, entry.item_id), answers_of, chosen)]


def _choices_of_newest(
    earlier: Sequence[Entry], impressions: Sequence[ImpressionEntry], entry: Entry
) -> list[conversions.Change]:
    """Return what ``conversions.changes`` says of an event that comes after all others.

    Args:
        earlier: Those that teach, ordered by time.
    """
    impression = conversions.find_shown(impressions, entry.timestamp_ms, entry.item_id) if impressions else None
    if impression is None or not conversions.is_first_choice(reversed(earlier), impression, entry.item_id):
        return []
    slot = conversions.slot_in(impression, entry.item_id)
    return [] if slot == TEACHES_NOBODY else [(slot, 1)]


def _signals_of_newest_impression(before: UserState, after: UserState, arrival: Arrival) -> list[Signal] | None:
    """Return what ``_signals`` gives for a fresh impression, or None where it must look: an event may have come of it.

    Args:
        before: The state just before ``arrival``, what is recent in it as of ``_has_newest_events``.
    """
    entry = after.recent_impressions[-1]
    if entry.arrival != before.arrivals or (before.newest and before.newest.timestamp_ms >= entry.timestamp_ms):
        return None
    return _signals_of_impression(entry, arrival, {})


def _signals(state: UserState, arrivals: list[Arrival], config: UserConfig) -> list[Signal]:
    """Return the signals of those ``arrivals`` that are still pending, in the order of their first arrival."""
    by_arrival = sorted(entries_of(state), key=lambda e: e.arrival)
    index_of = {(entry.source, entry.offset): index for index, entry in enumerate(by_arrival) if _sends(entry)}
    wanted = {
        index_of[source]: arrival
        for arrival in arrivals
        if (source := (int(arrival.source), arrival.offset)) in index_of  # not a duplicate, nor one that does not teach
        and arrival.offset > state.released.get(arrival.source, -1)
    }
    if not wanted:
        return []
    first = min(wanted)
    history = _History(by_arrival[:first], config)
    return [
        signal
        for index, entry in enumerate(by_arrival[first : max(wanted) + 1], start=first)
        for signal in history.take(entry, wanted.get(index))
    ]


class _History:
    """What was recent of a user when each event, search or impression arrived, and those events that teach, in log
    order."""

    def __init__(self, arrived: list[AnyEntry], config: UserConfig) -> None:
        events = [each for each in arrived if isinstance(each, Entry)]
        searches = [each for each in arrived if isinstance(each, SearchEntry)]
        impressions = [each for each in arrived if isinstance(each, ImpressionEntry)]
        self._config = config
        self._events = sorted(events, key=_ORDER)[-config.recent_events :]
        self._searches = sorted(searches, key=_ORDER)[-config.recent_searches :]
        self._impressions = sorted(impressions, key=_ORDER)[-config.recent_impressions :]
        self._sequence = sorted(filter(_TEACHES, self._events), key=_LOG_ORDER)

    def take(self, entry: AnyEntry, arrival: Arrival | None) -> list[Signal]:
        """Take what arrived next; return its signals where ``arrival`` asks for them."""
        if isinstance(entry, SearchEntry):
            return self._take_search(entry, arrival)
        if isinstance(entry, ImpressionEntry):
            return self._take_impression(entry, arrival)
        searches = self._find_answerable() if arrival is not None else []
        impressions = self._find_convertible() if arrival is not None else []
        before = answers.weigh(self._sequence, searches)
        converted = conversions.find_converted(self._sequence, impressions, entry.item_id)
        insort(self._events, entry, key=_ORDER)
        if entry.teaches:
            insort(self._sequence, entry, key=_LOG_ORDER)
        oldest = self._events.pop(0) if len(self._events) > self._config.recent_events else None
        made: list[Signal] = []
        if arrival is not None and oldest is entry:  # older than all of them, it leaves at once: it has no pairs
            made = _signals_of([entry], entry, arrival, {}, [])
        elif arrival is not None:
            changed = answers.changes(before, answers.weigh(self._sequence, searches))
            after = conversions.find_converted(self._sequence, impressions, entry.item_id)
            chosen = conversions.changes(converted, after, entry.item_id)
            made = _signals_of(self._sequence, entry, arrival, changed, chosen)
        if oldest is not None and oldest.teaches:
            self._sequence.remove(oldest)
        return made

    def _take_search(self, entry: SearchEntry, arrival: Arrival | None) -> list[Signal]:
        before = answers.weigh(self._sequence, self._find_answerable()) if arrival is not None else {}
        insort(self._searches, entry, key=_ORDER)
        changed = {}
        if arrival is not None and not _leaves_at_once(self._searches, entry, self._config.recent_searches):
            changed = answers.changes(before, answers.weigh(self._sequence, self._find_answerable()))
        del self._searches[: -self._config.recent_searches]
        return [] if arrival is None else _signals_of_search(entry, arrival, changed)

    def _take_impression(self, entry: ImpressionEntry, arrival: Arrival | None) -> list[Signal]:
        before, after = self._find_converted_of(entry) if arrival is not None else {}, None
        insort(self._impressions, entry, key=_ORDER)
        if arrival is not None and not _leaves_at_once(self._impressions, entry, self._config.recent_impressions):
            after = self._find_converted_of(entry)
        del self._impressions[: -self._config.recent_impressions]
        if arrival is None:
            return []
        chosen = (
            {}
            if after is None
            else {item_id: conversions.changes(before[item_id], after[item_id], item_id) for item_id in entry.item_ids}
        )
        return _signals_of_impression(entry, arrival, chosen)

    def _find_converted_of(self, entry: ImpressionEntry) -> dict[str, dict[str, ImpressionEntry]]:
        impressions = self._find_convertible()
        since_ms = impressions[0].timestamp_ms if impressions else 0
        events = [e for e in self._sequence if e.timestamp_ms >= since_ms]
        return {item_id: conversions.find_converted(events, impressions, item_id) for item_id in entry.item_ids}

    def _find_answerable(self) -> Sequence[SearchEntry]:
        return answers.find_answerable(self._searches, self._events, self._config.recent_events)

    def _find_convertible(self) -> Sequence[ImpressionEntry]:
        return answers.find_answerable(self._impressions, self._events, self._config.recent_events)


def _leaves_at_once(recent: Sequence[AnyEntry], entry: AnyEntry, bound: int) -> bool:
    """Return whether an entry that has just come is older than all that there is room for."""
    return len(recent) > bound and recent[0] is entry


def _signals_of(
    sequence: list[Entry],
    entry: Entry,
    arrival: Arrival,
    answered: Mapping[Answer, int],
    chosen: list[conversions.Change],
) -> list[Signal]:
    """Return what one event teaches: about its own item first, then about items that it moved away from others.

    Args:
        sequence: In log order, ``entry`` among it.
        answered: How it changed what events answer which searches.
        chosen: How it changed from which slots its item was chosen.
    """
    by_item: dict[str, list[tuple[str, int]]] = {entry.item_id: []}
    index = bisect_left(sequence, entry.log_order, key=_LOG_ORDER)
    for (earlier, later), change in pairs.changes(sequence, index).items():
        by_item.setdefault(later, []).append((earlier, change))
    answers_of = _name_queries(answered)
    visit = _visit(entry, arrival, by_item.pop(entry.item_id), answers_of.pop(entry.item_id, []), chosen)
    moved = dict.fromkeys([*by_item, *answers_of])
    return [
        visit,
        *(
            Signal(
                item_id=item_id,
                kind=entry.kind,
                partition=arrival.partition,
                offset=entry.offset,
                pairs=by_item.get(item_id, []),
                answers=answers_of.get(item_id, []),
            )
            for item_id in moved
        ),
    ]


def _signals_of_search(entry: SearchEntry, arrival: Arrival, answered: Mapping[Answer, int]) -> list[Signal]:
    """Return what a search teaches that came after events that answer it."""
    return [
        Signal(
            item_id=item_id, kind=Source.SEARCH, partition=arrival.partition, offset=entry.offset, answers=answers_of
        )
        for item_id, answers_of in _name_queries(answered).items()
    ]


def _signals_of_impression(
    entry: ImpressionEntry, arrival: Arrival, chosen: Mapping[str, list[conversions.Change]]
) -> list[Signal]:
    """Return what an impression teaches about each of its items.

    Args:
        chosen: By item, how it changed from which slots that was chosen.
    """
    return [
        Signal(
            item_id=item_id,
            kind=Source.IMPRESSION,
            partition=arrival.partition,
            offset=entry.offset,
            shown=slot,
            chosen=chosen.get(item_id, []),
        )
        for item_id, slot in zip(entry.item_ids, entry.slots)
        if slot != TEACHES_NOBODY or chosen.get(item_id)
    ]


def _visit(
    entry: Entry,
    arrival: Arrival,
    pairs: list[tuple[str, int]],
    answers_of: list[tuple[int, int, int]],
    chosen: list[conversions.Change],
) -> Signal:
    """Return what an event teaches about its own item."""
    return Signal(
        item_id=entry.item_id,
        kind=entry.kind,
        partition=arrival.partition,
        offset=entry.offset,
        seen_ms=entry.timestamp_ms,
        pairs=pairs,
        visitor=visitor_of(arrival.event.user_id),
        again=entry.again,
        is_first=entry.is_first,
        answers=answers_of,
        chosen=chosen,
        contexts=contexts.said(entry.contexts),
    )


def _name_queries(answered: Mapping[Answer, int]) -> dict[str, list[tuple[int, int, int]]]:
    """Return by item (query, time, change) of how events with it answer what was asked, as ``Signal.answers``."""
    by_item: dict[str, list[tuple[int, int, int]]] = {}
    for (search, entry), change in answered.items():
        for number in queries.numbers_of(search.query, search.item_id):
            by_item.setdefault(entry.item_id, []).append((number, entry.timestamp_ms, change))
    return by_item


def _sends(entry: AnyEntry) -> bool:
    return not isinstance(entry, Entry) or entry.teaches


_ORDER = attrgetter("order")
_TEACHES = attrgetter("teaches")
_RECEIVED_MS = attrgetter("received_ms")
_LOG_ORDER = attrgetter("timestamp_ms", "kind", "offset")
"""``Entry.log_order`` as a sort key, in a third of the time."""
