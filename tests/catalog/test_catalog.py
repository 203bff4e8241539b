"""The catalog: rows that stay, items that come and go."""

import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.item import Item
from tests.catalog.stock import NEW, embedded, stocked, taught


def test_a_row_stays_for_good():
    """Whatever is heard of an item first, and whatever happens to it later."""
    catalog = Catalog()
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_knowledge("b", taught(5, predecessors={"c": 1}))
    catalog.put_item(Item("a"))
    catalog.delete_item("a")
    catalog.put_item(Item("a"))

    assert [catalog.find(item_id) for item_id in "abc"] == [0, 1, 2]
    assert catalog.item_ids == ["a", "b", "c"]
    assert len(catalog) == 3


def test_finding_makes_no_row():
    """Reading never writes; deleting what was never there does not, either."""
    catalog = Catalog()
    catalog.delete_item("a")
    catalog.delete_embedding("a")

    assert catalog.find("a") is None
    assert len(catalog) == 0


def test_only_available_items_are_listed():
    """An item is listed while its record exists and says so; events and text alone list nothing."""
    catalog = stocked("a", "b")
    catalog.put_item(Item("c", available=False))
    catalog.put_knowledge("d", taught(1))
    catalog.put_embedding("e", embedded([1]))
    assert catalog.is_listed.tolist() == [True, True, False, False, False]
    assert catalog.n_listed == 2

    catalog.delete_item("a")
    catalog.put_item(Item("b", available=False))
    catalog.put_item(Item("c"))
    assert catalog.is_listed.tolist() == [False, False, True, False, False]


def test_a_record_is_the_newest_one():
    """Titles change; a deleted item has no record."""
    catalog = stocked("a")
    catalog.put_item(Item("a", title="new"))
    assert catalog.item(0).title == "new"

    catalog.delete_item("a")
    assert catalog.item(0) is None


def test_what_was_learned_outlives_a_deletion():
    """The item may come back."""
    catalog = stocked("a")
    catalog.put_knowledge("a", taught(1, 2))
    catalog.delete_item("a")

    assert catalog.knowledge.counts[0].tolist() == [2, 0, 0]


@pytest.mark.parametrize("last", ["another vector", "deletion"])
def test_factors_begin_where_the_texts_are_in_the_space_that_is_in_use_now(last):
    """All of them, when another encoder takes over, whether it came to hold as many or the old one lost one."""
    catalog, expected = stocked("a", "b", "c"), stocked("a", "b", "c")
    for item_id in ("a", "b", "c") if last == "deletion" else ("a", "b"):
        catalog.put_embedding(item_id, embedded([1, 0]))
    for each in (catalog, expected):
        each.put_embedding("a", embedded([0, 1, 1], NEW))
        each.put_embedding("b", embedded([0, 1, -1], NEW))
    if last == "deletion":
        catalog.delete_embedding("c")

    assert catalog.spaces.identities == (NEW,)
    np.testing.assert_allclose(catalog.factors.vectors[:3], expected.factors.vectors[:3], atol=1e-6)


def test_all_vectors_may_be_deleted():
    """Nothing is left of them, in lists asked for before either; its encoder may go on."""
    catalog = stocked("a")
    catalog.put_embedding("a", embedded([1, 0, 0]))
    assert catalog.spaces.vectors()[0].any()
    catalog.delete_embedding("a")
    assert not catalog.spaces.vectors().any()

    catalog.put_embedding("a", embedded([0, 1, 0]))
    assert catalog.spaces.vectors()[0, 0].any()


@pytest.mark.parametrize("n", [1023, 1024, 1025, 3000])
def test_any_number_of_items_has_room(n):
    """Arrays grow by doubling from 1024 rows; all of them together."""
    catalog = stocked(*(f"i{k}" for k in range(n)))
    last = f"i{n - 1}"
    catalog.put_embedding(last, embedded([1, 0]))
    catalog.put_knowledge(last, taught(5, predecessors={"i0": 2, "another": 1}))

    assert catalog.n_listed == n
    assert catalog.spaces.similar()[0].of(n - 1)[0].tolist() == []
    assert catalog.knowledge.successors.of(0)[0].tolist() == [n - 1]
    assert catalog.knowledge.trending(catalog.is_listed)[0].tolist() == [n - 1]
