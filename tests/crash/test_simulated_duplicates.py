"""Events that are sent again count once, whatever dies when."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.search import Search
from stream_rec.events.source import EVENT_SOURCES, Source
from stream_rec.user import seen
from stream_rec.user.arrival import Arrival
from stream_rec.user.state import facts
from tests.crash.simulation import (
    HOUR_MS,
    USER,
    Topics,
    answers,
    answers_by_arrival,
    both_stages,
    counted,
    first_events,
    first_events_by_arrival,
    pairs,
    repeats,
    repeats_by_arrival,
    slots,
    slots_by_arrival,
    summed,
    visits,
    world,
)
from tests.user.histories import pairs_by_arrival
from tests.user.shown import events_of

seeds = st.integers(0, 2**32)


@pytest.fixture
def small_archive(monkeypatch):
    """An archive that a few dozen events go through, a chunk at a time."""
    monkeypatch.setattr(seen, "RECENT", 3)
    monkeypatch.setattr(seen, "CHUNK", 5)


def firsts(arrived: list[Arrival]) -> list[Arrival]:
    """Return each event's first arrival."""
    found: dict[str, Arrival] = {}
    for one in arrived:
        found.setdefault(one.event.event_id, one)
    return list(found.values())


def sent_again(once: Topics, rng: random.Random) -> Topics:
    """Return topics in which all comes once more, or twice: at once, later or earlier, however late or old."""
    twice = {}
    for kind, log in once.items():
        twice[kind] = list(log)
        for event in log:
            for _ in range(rng.choice([0, 0, 1, 2])):
                near = twice[kind].index(event) + 1
                twice[kind].insert(rng.choice([near, rng.randint(0, len(twice[kind]))]), event)
    return twice


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=seeds)
def test_duplicated_events_count_once_through_crashes(seed, small_archive):
    """The same event, search or impression again in any place of its topic, of users with more than are kept: as if
    sent once."""
    user_ids = ["u1", "u2", "u3"]
    once = world(seed, n_events=150, users=user_ids, kinds=list(Kind), n_items=12, n_searches=60, n_impressions=60)
    twice = sent_again(once, random.Random(seed))
    assert sum(map(len, twice.values())) > 200
    broker, users, items = both_stages(twice, seed, crash_rate=0.12)
    _, users_once, items_once = both_stages(once, seed, crash_rate=0.0)

    assert {u: facts(s) for u, s in users.items()} == {u: facts(s) for u, s in users_once.items()}
    assert counted(items) == counted(items_once)
    for item_id, state in items.items():
        assert state.sums == pytest.approx(items_once[item_id].sums, rel=1e-9)
    assert visits(items) == visits(items_once)
    applied = {user_id: firsts(arrived) for user_id, arrived in broker.applied.items()}
    assert repeats(items) == {item_id: repeats_by_arrival(applied)[item_id] for item_id in items}
    assert first_events(items) == first_events_by_arrival(applied)
    assert pairs(items) == summed(
        pairs_by_arrival(events_of(arrived), USER.recent_events) for arrived in applied.values()
    )
    assert answers(items) == answers_by_arrival(applied)
    assert slots(items) == slots_by_arrival(applied)
    assert len(broker.chunks) > 5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=seeds)
def test_every_id_counts_once_by_a_count_that_knows_only_ids(seed, small_archive):
    """Plain Python and a set of (user, event_id): whatever order topics are read in, wherever batches end and processes
    die, and wherever an event comes again, also in another topic, also with another time or item, also as a search or
    an impression.
    """
    rng = random.Random(seed)
    users = ["u1", "u2"]
    topics: Topics = {source: [] for source in EVENT_SOURCES}
    for number in range(120):
        old = number < 40 or rng.random() < 0.5  # an id that may have come before, long ago or just now
        event_id = f"e{rng.randint(0, number) if old else number}"
        at = 1000 * HOUR_MS + rng.choice([number, rng.randint(-40 * 24 * 7, 120)]) * HOUR_MS
        source, user_id = rng.choice(EVENT_SOURCES), rng.choice(users)
        item_id = f"i{rng.randint(0, 8)}"
        if source == Source.SEARCH:
            topics[source].append(Search(event_id, user_id, rng.choice(["red", "pot"]), max(0, at)))
        elif source == Source.IMPRESSION:
            items_shown = [ShownItem(item_id, rng.randint(1, 9)), ShownItem("i9", 30)]
            topics[source].append(Impression(event_id, user_id, "", items_shown, max(0, at)))
        else:
            topics[source].append(Interaction(event_id, user_id, item_id, max(0, at)))
    broker, states, items = both_stages(topics, seed, crash_rate=0.12)

    came = {(event.user_id, event.event_id) for log in topics.values() for event in log}
    assert sum(state.arrivals for state in states.values()) == len(came)
    known: set[tuple[str, str]] = set()
    by_user: Counter[tuple[str, int]] = Counter()
    by_item: Counter[tuple[str, int]] = Counter()
    for arrived in broker.applied.values():  # the order in which they came to the changelog's states
        for event, kind in ((one.event, one.source) for one in arrived):
            if (event.user_id, event.event_id) not in known:
                known.add((event.user_id, event.event_id))
                if kind < Source.SEARCH:
                    by_user[event.user_id, kind] += 1
                    by_item[event.item_id, kind] += 1
    assert known == came
    assert by_user == Counter({(u, k): n for u, s in states.items() for k, n in enumerate(s.counts) if n})
    assert by_item == Counter({(i, k): n for i, s in items.items() for k, n in enumerate(s.counts) if n})
    applied = {user_id: firsts(arrived) for user_id, arrived in broker.applied.items()}
    assert answers(items) == answers_by_arrival(applied)
    assert slots(items) == slots_by_arrival(applied)
