"""Signals to the item stage: what one user's events, searches and impressions teach about items.

A signal pairs its event with what had arrived before it and teaches too (``Entry.teaches``): what one user does over
and over is not there for anybody else. After a crash the very same signal must be sent again, in the order of source
offsets, and perhaps long after the state has gone on: events of other topics come in any order between. So the state
keeps the arrival number of each event, and what leaves the recent events stays ``pending`` in it until the signals of
all this user's events are known to be acknowledged. In the steady run that is one batch later; what is released by then
is never made again, because what it was made of may be gone.

``make`` can do all of it. Nearly all comes in order, though, and then less has to be looked at: ``make_in_order`` and
``make_of_newest_impression`` give the same, or say that they cannot.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from operator import attrgetter

from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.knowledge import contexts, queries
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.visits import visitor_of
from stream_rec.user import answers, conversions, pairs
from stream_rec.user.answers import Answer
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import TEACHES_NOBODY, AnyEntry, Entry, ImpressionEntry, SearchEntry
from stream_rec.user.pairs import WINDOW
from stream_rec.user.state import UserState, entries_of


def has_newest_events(state: UserState, config: UserConfig) -> bool:
    """Return whether what is recent is what ``make`` would find: a bound may have been another."""
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


def may_change_answers(before: UserState, search: Search) -> bool:
    """Return whether an event that the state holds may answer a new search; nearly every search is its user's newest.

    The event that it is about does not, nor do others at the time of the search, if they are all about that item.
    """
    for entry in reversed(before.recent_events):
        if entry.timestamp_ms < search.timestamp_ms:
            return False
        if entry.timestamp_ms > search.timestamp_ms or entry.item_id != search.item_id:
            return True
    return False


def make_in_order(
    before: UserState, after: UserState, entry: Entry, arrival: Arrival, config: UserConfig
) -> list[Signal] | None:
    """Return what ``make`` gives for one fresh arrival, or None where it must look: the event came late.

    Nearly every event is its user's newest. Then only those just before it count, and no other item moves.

    Args:
        before: The state just before ``arrival``, its recent events as of ``has_newest_events``.
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


def make_of_newest_impression(before: UserState, after: UserState, arrival: Arrival) -> list[Signal] | None:
    """Return what ``make`` gives for a fresh impression, or None where it must look: an event may have come of it.

    Args:
        before: The state just before ``arrival``, what is recent in it as of ``has_newest_events``.
    """
    entry = after.recent_impressions[-1]
    if entry.arrival != before.arrivals or (before.newest and before.newest.timestamp_ms >= entry.timestamp_ms):
        return None
    return _of_impression(entry, arrival, {})


def make(state: UserState, arrivals: list[Arrival], config: UserConfig) -> list[Signal]:
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
            made = _of_event([entry], entry, arrival, {}, [])
        elif arrival is not None:
            changed = answers.changes(before, answers.weigh(self._sequence, searches))
            after = conversions.find_converted(self._sequence, impressions, entry.item_id)
            chosen = conversions.changes(converted, after, entry.item_id)
            made = _of_event(self._sequence, entry, arrival, changed, chosen)
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
        return [] if arrival is None else _of_search(entry, arrival, changed)

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
        return _of_impression(entry, arrival, chosen)

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


def _of_event(
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


def _of_search(entry: SearchEntry, arrival: Arrival, answered: Mapping[Answer, int]) -> list[Signal]:
    """Return what a search teaches that came after events that answer it."""
    return [
        Signal(
            item_id=item_id, kind=Source.SEARCH, partition=arrival.partition, offset=entry.offset, answers=answers_of
        )
        for item_id, answers_of in _name_queries(answered).items()
    ]


def _of_impression(
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
        contexts=contexts.said(contexts.fill_in(entry.contexts, entry.of_profile)),
        rating=entry.rating,
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
_LOG_ORDER = attrgetter("timestamp_ms", "kind", "offset")
"""``Entry.log_order`` as a sort key, in a third of the time."""
