"""Searches and events of one user, and what must answer what, by looking at every search for every event."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from hypothesis import strategies as st

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.knowledge.queries import numbers_of
from stream_rec.knowledge.signal import Signal
from stream_rec.user.advance import Advance, advance
from stream_rec.user.answers import Answer
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import Entry, SearchEntry
from stream_rec.user.state import COLD, UserState, decode, encode

MINUTE_MS = 60_000
WIDE = UserConfig(recent_events=64, recent_searches=64, weekly_training_events=1000)
"""Nothing leaves it, and everything teaches."""
NARROW = UserConfig(recent_events=16, recent_searches=3, weekly_counts=16, weekly_training_events=1000)
Did = tuple[Source, Interaction | Search]
Taught = Counter[tuple[int, str, int]]
"""By (number of a query, item, time of the event that answers it) the summed weight."""


def came(at_ms: int, item_id: str, source: Source = Source.VIEW, *, event_id: str = "") -> Did:
    """Return an event; its id says when and what it was unless given."""
    return source, Interaction(event_id or f"{at_ms}-{item_id}-{source}", "u", item_id, at_ms)


def asked(at_ms: int, query: str = "red", item_id: str | None = None, *, event_id: str = "") -> Did:
    """Return a search; its id says when and what it was unless given."""
    return Source.SEARCH, Search(event_id or f"{at_ms}-{query}-{item_id}", "u", query, at_ms, item_id)


def logged(did: Iterable[Did]) -> list[Arrival]:
    """Return it as it comes from the topics: every topic's offsets ascend in the order of arrival."""
    offsets = {source: count() for source in Source}
    return [Arrival(event, source, 0, next(offsets[source])) for source, event in did]


TIMES_MS = [minute * MINUTE_MS + ms for minute in (0, 10, 29, 30, 31, 60, 61, 90) for ms in (0, 1)]
"""Often the same, and often half an hour apart: just within reach, or just without."""
TEXTS = ["red", "Red!", "red, RED", "blue pot", "pot BLUE", "...", "größe", "GROSSE"]


@st.composite
def logs(draw: st.DrawFn, *, max_size: int = 40, n_items: int = 4, items_asked: bool = True) -> list[Arrival]:
    """Return what one user did, each once, in the order of arrival, which is nearly any."""
    items = [f"i{number}" for number in range(n_items)]
    about = st.sampled_from([None, None, *items]) if items_asked else st.none()
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from([*Kind, Source.SEARCH, Source.VIEW, Source.SEARCH]),
                st.sampled_from(TIMES_MS),
                st.sampled_from(items),
                st.sampled_from(TEXTS),
                about,
            ),
            max_size=max_size,
        )
    )
    return logged(
        asked(at_ms, text, about, event_id=event_id)
        if source == Source.SEARCH
        else came(at_ms, item_id, source, event_id=event_id)
        for number, (source, at_ms, item_id, text, about) in enumerate(drawn)
        for event_id in [f"e{number * 7919 % 101:03}"]
    )


def out_of_step(arrived: Sequence[Arrival], turns: Sequence[int]) -> list[Arrival]:
    """Return the same in another order of arrival, each topic's offsets ascending.

    Args:
        turns: A permutation of the places.
    """
    waiting: dict[int, list[Arrival]] = defaultdict(list)
    for one in arrived:
        waiting[one.source].append(one)
    order = [arrived[place].source for place in turns]
    return [waiting[source].pop(0) for source in order]


def what_answers(arrived: Iterable[Arrival]) -> dict[tuple[str, str], int]:
    """Return by (id of a search, id of an event) the weight, where there is one, of all that came in any order."""
    arrived = list(arrived)
    events = [one for one in arrived if one.source != Source.SEARCH]
    searches = [one.event for one in arrived if one.source == Source.SEARCH]
    answering = defaultdict(list)
    for one in events:
        event, newest = one.event, None
        for search in searches:
            is_before = search.timestamp_ms < event.timestamp_ms or (
                search.timestamp_ms == event.timestamp_ms and search.item_id != event.item_id
            )
            if is_before and (
                newest is None or (search.timestamp_ms, search.event_id) > (newest.timestamp_ms, newest.event_id)
            ):
                newest = search
        if newest is None or newest.item_id == event.item_id or event.timestamp_ms > newest.timestamp_ms + 30 * 60_000:
            continue
        answering[newest.event_id].append(((event.timestamp_ms, one.source, one.offset), event.event_id))
    return {
        (search_id, event_id): weight
        for search_id, of_search in answering.items()
        for weight, (_, event_id) in zip((8, 2, 1), sorted(of_search))
    }


def what_is_taught(arrived: Iterable[Arrival]) -> Taught:
    """Return the same as items learn it."""
    arrived = list(arrived)
    of = {one.event.event_id: one.event for one in arrived}
    taught: Taught = Counter()
    for (search_id, event_id), weight in what_answers(arrived).items():
        search, event = of[search_id], of[event_id]
        for number in numbers_of(search.query[:256], search.item_id):
            taught[number, event.item_id, event.timestamp_ms] += weight
    return taught


def taught_by_arrival(arrived: Iterable[Arrival], n_events: int, n_searches: int) -> Taught:
    """Return what is taught by what came in this order, where so many of each are remembered: by what each changes."""
    total: Taught = Counter()
    kept: dict[bool, list[Arrival]] = {False: [], True: []}
    for new in arrived:
        is_search = new.source == Source.SEARCH
        # Of searches as old as the oldest event, where some events have left, it is not known what answered them.
        is_full = len(kept[False]) == n_events
        oldest_ms = kept[False][0].event.timestamp_ms if is_full else -1
        before = [*kept[False], *(one for one in kept[True] if one.event.timestamp_ms > oldest_ms)]
        together = sorted([*kept[is_search], new], key=lambda one: (one.event.timestamp_ms, one.event.event_id))
        bound = n_searches if is_search else n_events
        kept[is_search] = together[-bound:]
        is_known = not is_search or new.event.timestamp_ms > oldest_ms
        if new in kept[is_search] and is_known:
            total.update(what_is_taught([*before, new]))
            total.subtract(what_is_taught(before))
    return without_zeros(total)


def what_signals_say(signals: Iterable[Signal]) -> Taught:
    """Return the sum of all changes that signals carry."""
    total: Taught = Counter()
    for signal in signals:
        for number, at_ms, change in signal.answers:
            total[number, signal.item_id, at_ms] += change
    return without_zeros(total)


def without_zeros(total: Taught) -> Taught:
    """Return what is something."""
    return Counter({key: weight for key, weight in total.items() if weight})


def one_by_one(arrived: Iterable[Arrival], config: UserConfig, state: UserState = COLD) -> list[Advance]:
    """Return what each arrival leads to, nothing acknowledged."""
    made = []
    for one in arrived:
        made.append(advance(state, [one], config, {}))
        state = made[-1].state
    return made


def in_batches(
    data: st.DataObject, arrived: Sequence[Arrival], config: UserConfig, acknowledged: Mapping[int, int]
) -> tuple[UserState, list[Signal]]:
    """Return the state after all, in batches of any size, and the signals that they sent."""
    made: list[Signal] = []
    state, at = COLD, 0
    while at < len(arrived):
        n = data.draw(st.sampled_from([1, 1, 2, 7, 40]))
        after = advance(state, arrived[at : at + n], config, acknowledged)
        state, made, at = decode(encode(after.state)), made + after.signals, at + n
    return state, made


def entries(arrived: Iterable[Arrival]) -> tuple[list[Entry], list[SearchEntry]]:
    """Return events in log order and searches in order, as a state would hold them."""
    events, searches = [], []
    for number, one in enumerate(arrived):
        event = one.event
        if isinstance(event, Search):
            searches.append(
                SearchEntry(event.timestamp_ms, event.event_id, event.query, event.item_id, one.offset, number)
            )
        else:
            events.append(
                Entry(event.timestamp_ms, event.event_id, event.item_id, one.source, None, one.offset, number)
            )
    return sorted(events, key=lambda e: e.log_order), sorted(searches, key=lambda s: (s.timestamp_ms, s.event_id))


def by_ids(weights: dict[Answer, int]) -> dict[tuple[str, str], int]:
    """Return weights by (id of the search, id of the event)."""
    return {(search.event_id, entry.event_id): weight for (search, entry), weight in weights.items()}
