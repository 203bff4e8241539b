"""Which items are fresh: listed, and hardly seen."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import fresh
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.fresh import EVENTS, HALF_LIVES, RISING, Fresh, Pool
from stream_rec.events.item import Item
from stream_rec.knowledge.popularity import HALF_LIVES_MS
from tests.catalog.stock import stocked, taught

DAY_MS = 24 * 3_600_000
CHANGES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("lude"), st.integers(0, 7)), max_size=30)


def fresh_ids(catalog: Catalog) -> list[str]:
    """Return those without events, then those with some."""
    return [catalog.item_ids[row] for pool in (catalog.fresh.unseen, catalog.fresh.seen) for row in pool.rows()]


def rising(catalog: Catalog) -> list[int]:
    """Return the most popular of those with few events, of equals those that came first, by sorting."""
    rows, levels = catalog.fresh.seen.rows().tolist(), catalog.knowledge.levels
    by_level = (sorted(rows, key=lambda row: -levels[row, half_life])[:RISING] for half_life in HALF_LIVES)
    return [row for best in by_level for row in best]


@settings(max_examples=100, deadline=None)
@given(changes=CHANGES)
def test_fresh_are_the_listed_items_with_fewer_than_five_events(changes):
    """Whatever is heard of first, however often it changes."""
    catalog = Catalog()
    for item_id, change, n_events in changes:
        match change:
            case "l":
                catalog.put_item(Item(item_id))
            case "u":
                catalog.put_item(Item(item_id, available=False))
            case "d":
                catalog.delete_item(item_id)
            case _:
                catalog.put_knowledge(item_id, taught(*range(n_events)))
        listed = np.flatnonzero(catalog.is_listed).tolist()
        unseen = {row for row in listed if catalog.knowledge.n_events_of(row) == 0}
        seen = {row for row in listed if 0 < catalog.knowledge.n_events_of(row) < EVENTS}
        for pool, expected in ((catalog.fresh.unseen, unseen), (catalog.fresh.seen, seen)):
            assert set(pool.rows().tolist()) == set(np.flatnonzero(pool.is_in).tolist()) == expected
            assert len(pool) == len(expected)
        assert rising(catalog) == catalog.fresh.rising(catalog.knowledge.levels).tolist()
        assert len(catalog.fresh) == len(unseen | seen)
        assert [row in catalog.fresh for row in range(4)] == [row in unseen | seen for row in range(4)]


def test_the_fifth_event_ends_it():
    """Four are few."""
    catalog = stocked("a")
    catalog.put_knowledge("a", taught(1, 2, 3, 4))
    assert fresh_ids(catalog) == ["a"]

    catalog.put_knowledge("a", taught(1, 2, 3, 4, 5))
    assert fresh_ids(catalog) == []


def test_they_stand_in_the_order_in_which_they_were_listed():
    """An item that comes back is the last."""
    catalog = stocked("b", "a", "c")
    assert fresh_ids(catalog) == ["b", "a", "c"]

    catalog.put_item(Item("b", available=False))
    catalog.put_item(Item("b"))
    catalog.put_item(Item("a", title="another title"))
    assert fresh_ids(catalog) == ["a", "c", "b"]


def test_those_listed_last_are_looked_at(monkeypatch):
    """A bound on what a list costs; all are fresh all the same."""
    monkeypatch.setattr(fresh, "POOL", 3)
    items = Pool()
    items.ensure_capacity(5)
    for row in range(5):
        items.set(row, True)

    assert items.rows().tolist() == [2, 3, 4]
    assert 0 in items

    items.set(3, False)
    assert items.rows().tolist() == [1, 2, 4]


def test_the_rising_are_the_most_popular_of_those_with_few_events():
    """At a half-life of a day, then of a week: what had most events of late, and what had most at all."""
    now_ms = 100 * DAY_MS
    catalog = stocked(*(f"i{n}" for n in range(60)))
    for n in range(30):  # one event each, the later the more popular
        catalog.put_knowledge(f"i{n}", taught(now_ms - n * 60_000))
    for n in range(30, 40):  # four events each a few days ago
        catalog.put_knowledge(f"i{n}", taught(*[now_ms - 4 * DAY_MS - n * 60_000] * 4))
    for n in range(40, 45):
        catalog.put_knowledge(f"i{n}", taught(*[now_ms] * 5))
    rows = catalog.fresh.rising(catalog.knowledge.levels).tolist()

    assert rows[:RISING] == list(range(RISING))
    assert rows[RISING:] == [*range(30, 40), *range(10)]


def test_what_was_never_seen_does_not_rise():
    """Fewer than asked for are all there are, by each half-life."""
    catalog = stocked("a", "b", "c")
    assert catalog.fresh.rising(catalog.knowledge.levels).tolist() == []
    catalog.put_knowledge("b", taught(1))
    assert catalog.fresh.rising(catalog.knowledge.levels).tolist() == [1, 1]
    catalog.put_knowledge("c", taught(2))
    assert catalog.fresh.rising(catalog.knowledge.levels).tolist() == [2, 1, 2, 1]
    catalog.delete_item("c")
    assert catalog.fresh.rising(catalog.knowledge.levels).tolist() == [1, 1]


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 7)), min_size=3, max_size=3), max_size=6))
def test_many_are_set_as_one_after_the_other(changes):
    """All pools are the same, and what is rising."""
    one, all_ = Fresh(), Fresh()
    levels = np.arange(3.0)[:, None] * np.ones(len(HALF_LIVES_MS))
    for each in (one, all_):
        each.ensure_capacity(3)
    for change in changes:
        for row, (is_listed, n_events) in enumerate(change):
            one.set(row, is_listed=is_listed, n_events=n_events)
        all_.set_all(np.arange(3), *map(np.array, zip(*change)))
        for pool, other in ((one.unseen, all_.unseen), (one.seen, all_.seen)):
            assert pool.rows().tolist() == other.rows().tolist()
            assert pool.is_in[:3].tolist() == other.is_in[:3].tolist()
        assert one.rising(levels).tolist() == all_.rising(levels).tolist()
