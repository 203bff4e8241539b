"""Histories of one user, and what they must lead to by a slower and plainer way than the package's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count

from hypothesis import strategies as st

from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.search import Search
from stream_rec.events.source import Source
from stream_rec.knowledge.signal import Signal
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import WEEK_MS
from stream_rec.user.impressions import fold_impression
from stream_rec.user.interactions import fold
from stream_rec.user.pairs import WINDOW
from stream_rec.user.searches import fold_search
from stream_rec.user.state import UserState

SMALL = UserConfig(recent_events=16, weekly_counts=16)
ALL_ACKNOWLEDGED = dict.fromkeys(Source, 10**9)
Happened = tuple[Kind, Interaction]


def happened(at: int, item_id: str, kind: Kind = Kind.VIEW, *, event_id: str = "", user_id: str = "u") -> Happened:
    """Return an event; its id says when and what it was unless given."""
    return kind, Interaction(event_id or f"{at}-{item_id}-{kind}", user_id, item_id, at)


def arrivals(events: Iterable[Happened]) -> list[Arrival]:
    """Return events as they come from their topics: every topic's offsets ascend in the order of arrival."""
    offsets = {kind: count() for kind in Kind}
    return [Arrival(event, kind, 0, next(offsets[kind])) for kind, event in events]


def folded(arrived: Iterable[Arrival], config: UserConfig = SMALL, state: UserState | None = None) -> UserState:
    """Return the state after all arrivals, one by one."""
    state = state or UserState()
    for one in arrived:
        if isinstance(one.event, Search):
            state = fold_search(state, one.event, one.offset, config)
        elif isinstance(one.event, Impression):
            state = fold_impression(state, one.event, one.offset, config)
        else:
            state = fold(state, one.event, Kind(one.source), one.offset, config)
    return state


@st.composite
def event_sets(draw: st.DrawFn, *, max_size: int = 60, weeks: int = 4, items: int = 12) -> list[Happened]:
    """Return distinct events, many of them at the same time or with the same item."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.integers(0, weeks - 1), st.integers(0, 5), st.integers(0, items - 1), st.sampled_from(list(Kind))
            ),
            max_size=max_size,
        )
    )
    return [
        happened(week * WEEK_MS + minute, f"i{item}", kind, event_id=f"e{number * 7919 % 101:03}")
        for number, (week, minute, item, kind) in enumerate(drawn)
    ]


def pairs_by_distance(item_ids: Sequence[str]) -> Counter[tuple[str, str]]:
    """Return the weight of every (earlier, later) pair of different items: 12 for neighbours down to 1."""
    weights: Counter[tuple[str, str]] = Counter()
    for later in range(len(item_ids)):
        for earlier in range(max(0, later - WINDOW), later):
            if item_ids[earlier] != item_ids[later]:
                weights[item_ids[earlier], item_ids[later]] += WINDOW + 1 - (later - earlier)
    return weights


def in_log_order(arrived: Iterable[Arrival]) -> list[str]:
    """Return the items by event time, ties as they stand in their topics."""
    ordered = sorted(arrived, key=lambda one: (one.event.timestamp_ms, one.source, one.offset))
    return [one.event.item_id for one in ordered]


def pairs_by_arrival(arrived: Iterable[Arrival], bound: int) -> Counter[tuple[str, str]]:
    """Return the pair weights after events that came in this order: each adds what it changes among the recent ones."""
    total: Counter[tuple[str, str]] = Counter()
    recent_events: list[Arrival] = []
    for new in arrived:
        larger = sorted([*recent_events, new], key=lambda one: (one.event.timestamp_ms, one.event.event_id))
        if len(larger) > bound and larger[0] is new:
            continue  # older than all that are kept
        total.update(pairs_by_distance(in_log_order(larger)))
        total.subtract(pairs_by_distance(in_log_order(recent_events)))
        recent_events = larger[-bound:]
    return Counter({pair: weight for pair, weight in total.items() if weight})


def summed_pairs(signals: Iterable[Signal]) -> Counter[tuple[str, str]]:
    """Return the sum of all changes that signals carry, zeros left out."""
    total: Counter[tuple[str, str]] = Counter()
    for signal in signals:
        for earlier, change in signal.pairs:
            total[earlier, signal.item_id] += change
    return Counter({pair: weight for pair, weight in total.items() if weight})
