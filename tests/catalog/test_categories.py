"""Categories by row: an item's category and its first tags, in equal parts."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.catalog.categories import MOST, CategoryIndex
from stream_rec.events.item import Item


def index_of(*items: Item) -> CategoryIndex:
    index = CategoryIndex()
    for row, item in enumerate(items):
        index.put(row, item)
    return index


def test_an_item_counts_one_in_all():
    """Its category and tags share it; a tag that repeats the category is no other."""
    index = index_of(Item("a", category="wine", tags=["red", "wine"]), Item("b", category="red"), Item("c"))

    assert len(index) == 2
    assert index.mix(np.array([0])).tolist() == [0.5, 0.5]
    assert index.mix(np.array([0, 1])).tolist() == [0.5, 1.5]
    assert index.mix(np.array([2])).tolist() == [0.0, 0.0]
    assert index.of(np.array([0, 2])).weights.sum(axis=1).tolist() == [1.0, 0.0]


def test_the_first_categories_count():
    """A long list of tags says little by its end."""
    index = index_of(Item("a", category="first", tags=[f"t{n}" for n in range(20)]))

    assert len(index) == MOST
    assert index.mix(np.array([0])).tolist() == pytest.approx([1 / MOST] * MOST)


def test_a_changed_item_has_its_new_categories_alone():
    """Nothing of the old ones is left in its row; numbers stay what they were."""
    index = index_of(Item("a", category="x", tags=["y", "z"]), Item("b", category="z"))
    index.put(0, Item("a", category="z"))

    assert index.mix(np.array([0])).tolist() == [0.0, 0.0, 1.0]
    assert index.mix(np.array([1])).tolist() == [0.0, 0.0, 1.0]


def test_items_without_a_record_have_no_categories():
    """They are known from events alone."""
    index = index_of(Item("a", category="x"))

    assert index.mix(np.array([5000])).tolist() == [0.0]
    assert index.mix(np.zeros(0, np.int64)).tolist() == [0.0]
    assert len(CategoryIndex().mix(np.zeros(0, np.int64))) == 0
