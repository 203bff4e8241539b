"""Which items are fresh: listed, and hardly seen."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import fresh
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.fresh import EVENTS, Pool
from stream_rec.events.item import Item
from tests.catalog.stock import stocked, taught

CHANGES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("lude"), st.integers(0, 7)), max_size=30)


def fresh_ids(catalog: Catalog) -> list[str]:
    """Return those without events, then those with some."""
    return [catalog.item_ids[row] for pool in (catalog.fresh.unseen, catalog.fresh.seen) for row in pool.rows()]


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
