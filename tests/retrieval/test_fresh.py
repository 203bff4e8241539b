"""Source `fresh`: by text, and by when items appeared."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.retrieval.fresh import BY_TEXT, NEWCOMERS, find_fresh_by_text, find_newcomers
from tests.catalog.stock import embedded, stocked, taught


def on_a_circle(n: int) -> Catalog:
    """Return items at 0, 1, 2, ... degrees."""
    catalog = stocked(*(f"i{degrees}" for degrees in range(n)))
    for degrees in range(n):
        catalog.put_embedding(f"i{degrees}", embedded(direction(degrees)))
    return catalog


def direction(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0.0], dtype=np.float32)


def test_the_nearest_fresh_items_of_taste_and_last_item():
    """20 each, the nearest first: around 0 degrees, and around 100; those with five events are not fresh."""
    catalog = on_a_circle(170)
    for degrees in range(5):
        catalog.put_knowledge(f"i{degrees}", taught(1, 2, 3, 4, 5))
    rows = find_fresh_by_text(catalog, direction(0), direction(100.1)).tolist()

    assert rows[:BY_TEXT] == list(range(5, 5 + BY_TEXT))
    assert rows[BY_TEXT : BY_TEXT + 3] == [100, 101, 99]
    assert set(rows[BY_TEXT:]) == set(range(91, 111))


def test_fewer_fresh_items_than_asked_for_are_all_of_them():
    """Twice: for the taste and for the last item."""
    catalog = on_a_circle(3)

    assert find_fresh_by_text(catalog, direction(2), direction(0)).tolist() == [2, 1, 0, 0, 1, 2]


def test_without_text_or_fresh_items_there_are_none():
    """No encoder yet; no fresh item; all vectors deleted."""
    nothing = np.zeros(0, np.float32)
    assert find_fresh_by_text(stocked("a"), nothing, nothing).tolist() == []

    catalog = on_a_circle(1)
    catalog.put_knowledge("i0", taught(1, 2, 3, 4, 5))
    assert find_fresh_by_text(catalog, direction(0), direction(0)).tolist() == []
    catalog = on_a_circle(1)
    catalog.delete_embedding("i0")
    assert set(find_fresh_by_text(catalog, direction(0), direction(0)).tolist()) <= {0}


def test_newcomers_are_those_whose_first_event_came_last():
    """However often they were seen since."""
    catalog = stocked(*(f"i{n}" for n in range(30)))
    for n in range(30):
        catalog.put_knowledge(f"i{n}", taught(100 - n))
    catalog.put_knowledge("i0", taught(100, 200))

    assert find_newcomers(catalog).tolist() == list(range(30 - NEWCOMERS, 30))
    assert find_newcomers(Catalog()).tolist() == []
