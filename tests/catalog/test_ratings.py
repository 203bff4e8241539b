"""How items and their categories were rated."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.categories import Categories
from stream_rec.catalog.ratings import ItemRatings
from stream_rec.events.item import Item
from stream_rec.knowledge.state import ItemState

steps = st.tuples(
    st.integers(0, 3),
    st.tuples(st.integers(1, 9), st.integers(-(10**6), 10**6)),
    st.lists(st.integers(0, 4), unique=True, max_size=3),
)


def read(ratings: ItemRatings, n_categories: int = 5) -> tuple:
    categories = Categories(np.arange(n_categories)[None, :], np.ones((1, n_categories)))
    return ratings.total.tolist(), ratings.of(np.arange(4)).tolist(), ratings.of_categories(categories)[0].tolist()


@given(taken=st.lists(steps, max_size=20))
@settings(max_examples=60, deadline=None)
def test_only_the_newest_of_each_item_counts(taken):
    """Sums are those of what each item was said to be last, whatever was said before, of whatever categories."""
    ratings = ItemRatings()
    newest = {}
    for row, sums, categories in taken:
        ratings.put(row, sums, categories)
        newest[row] = sums, categories
    of_rows = [list(map(float, newest[row][0])) if row in newest else [0.0, 0.0] for row in range(4)]
    of_categories = [
        [float(sum(sums[k] for sums, categories in newest.values() if c in categories)) for k in range(2)]
        for c in range(5)
    ]

    assert read(ratings) == ([sum(s[k] for s in of_rows) for k in range(2)], of_rows, of_categories)
    assert [row in ratings for row in range(4)] == [row in newest for row in range(4)]


def test_a_catalog_keeps_up_with_records_and_knowledge():
    """In whatever order they come: an item that is put into another category takes its ratings along."""
    catalog = Catalog()
    rated = ItemState(counts=(2, 0, 0), sums=[2.0] * 7, first_ms=3, last_ms=5, ratings=(2, 7_000))
    catalog.put_knowledge("film", rated)
    catalog.put_item(Item("film", category="crime", tags=["1999"]))
    catalog.put_item(Item("play", category="crime"))
    catalog.put_knowledge("play", ItemState(counts=(1, 0, 0), sums=[1.0] * 7, first_ms=3, last_ms=5))

    def of_categories(item_id: str) -> list:
        categories = catalog.categories.of(np.array([catalog.find(item_id)]))
        return catalog.ratings.of_categories(categories)[0, : int((categories.weights > 0).sum())].tolist()

    assert catalog.ratings.total.tolist() == [2.0, 7000.0]
    assert of_categories("film") == [[2.0, 7000.0], [2.0, 7000.0]] and of_categories("play") == [[2.0, 7000.0]]

    catalog.put_item(Item("film", category="comedy"))
    assert of_categories("play") == [[0.0, 0.0]] and of_categories("film") == [[2.0, 7000.0]]
    assert catalog.find("play") not in catalog.ratings
