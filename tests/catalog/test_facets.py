"""Which items have what is asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import facets as module
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.facets import EVERYTHING, Bounds, Filter
from stream_rec.events.item import Item
from tests.catalog.stock import is_wanted


def found(catalog: Catalog, wanted: Filter) -> set[str]:
    is_in = catalog.facets.find(wanted, catalog.is_listed)
    return {catalog.item_ids[row] for row in np.flatnonzero(is_in)}


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog()
    for item in (
        Item("pot", category="tea", tags=["blue", "gift"], attributes={"price": 20, "brand": "Acme", "new": True}),
        Item("cup", category="tea", tags=["blue"], attributes={"price": "4.50", "size": 3.0}),
        Item("hose", category="garden", attributes={"price": 20.01}),
        Item("gone", category="tea", tags=["blue"], attributes={"price": 5}, available=False),
        Item("free", category="tea", attributes={"price": True, "size": [3]}),
    ):
        catalog.put_item(item)
    return catalog


@pytest.mark.parametrize(
    ("wanted", "item_ids"),
    [
        (EVERYTHING, {"pot", "cup", "hose", "free"}),
        (Filter(categories=("tea",)), {"pot", "cup", "free"}),
        (Filter(categories=("tea", "garden")), {"pot", "cup", "free", "hose"}),
        (Filter(tags=("blue",)), {"pot", "cup"}),
        (Filter(tags=("blue", "gift")), {"pot"}),
        (Filter(attributes=(("brand", "Acme"), ("new", "true"))), {"pot"}),
        (Filter(attributes=(("size", "3"),)), {"cup"}),
        (Filter(bounds=(Bounds("price", most=20),)), {"pot", "cup"}),
        (Filter(bounds=(Bounds("price", 20),)), {"pot", "hose"}),
        (Filter(bounds=(Bounds("price", 4.5, 4.5),)), {"cup"}),
        (Filter(categories=("none",)), set()),
        (Filter(not_categories=("tea", "none")), {"hose"}),
        (Filter(any_tags=("gift", "none")), {"pot"}),
        (Filter(not_tags=("gift",)), {"cup", "hose", "free"}),
        (Filter(attributes=(("brand", "Acme"), ("brand", "Bolt"))), {"pot"}),
        (Filter(attributes=(("size", "3"), ("size", "4"), ("price", "4.50"))), {"cup"}),
        (Filter(not_attributes=(("brand", "Acme"), ("size", "3"))), {"hose", "free"}),
        (Filter(bounds=(Bounds("size", 3, 3), Bounds("price", 4))), {"cup"}),
        (Filter(bounds=(Bounds("brand"),)), set()),
        (Filter(bounds=(Bounds("none"),)), set()),
    ],
)
def test_items_have_all_that_is_asked_for(catalog, wanted, item_ids):
    """Of what is listed; an attribute is compared as text, a price as a number, a list with nothing."""
    assert found(catalog, wanted) == item_ids


def test_what_is_found_is_the_callers_own(catalog):
    """Changing it changes no list."""
    catalog.facets.find(EVERYTHING, catalog.is_listed)[:] = False

    assert catalog.n_listed == 4


items = st.builds(
    Item,
    st.sampled_from("abc"),
    category=st.sampled_from(["", "x", "y"]),
    tags=st.lists(st.sampled_from("st"), max_size=3),
    attributes=st.dictionaries(
        st.sampled_from(["price", "k"]), st.sampled_from([1, 2, "2", "2.5", True, "t", None, []])
    ),
    available=st.booleans(),
)
pairs = st.lists(st.tuples(st.sampled_from(["price", "k"]), st.sampled_from(["1", "2", "2.5", "t"])), max_size=3)
filters = st.builds(
    Filter,
    *(st.lists(st.sampled_from("xy"), max_size=2).map(tuple) for _ in range(2)),
    *(st.lists(st.sampled_from("st"), max_size=2).map(tuple) for _ in range(3)),
    pairs.map(tuple),
    pairs.map(tuple),
    st.lists(
        st.builds(
            Bounds, st.sampled_from(["price", "k", "z"]), st.sampled_from([-math.inf, 2]), st.sampled_from([2, 3])
        ),
        max_size=2,
    ).map(tuple),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(items, st.sampled_from("abc"), filters), max_size=16), st.lists(filters, min_size=1))
def test_no_filter_is_ever_broken(changes, asked):
    """Whatever was asked for in between: what is found follows from the newest records alone; an id is a deletion."""
    catalog, newest = Catalog(), {}
    for change in changes:
        if isinstance(change, Filter):
            found(catalog, change)
        elif isinstance(change, str):
            catalog.delete_item(change)
            newest.pop(change, None)
        else:
            catalog.put_item(change)
            newest[change.item_id] = change
    for wanted in asked:
        assert found(catalog, wanted) == {item.item_id for item in newest.values() if is_wanted(item, wanted)}


def test_numbers_are_those_of_now(catalog):
    """Also of what was asked for before: an item may come, change, and go."""
    cheap = Filter(bounds=(Bounds("price", most=10),))
    assert found(catalog, cheap) == {"cup"}

    catalog.put_item(Item("pot", attributes={"price": 9}))
    catalog.put_item(Item("new", attributes={"price": "9.5"}))
    catalog.put_item(Item("cup", attributes={"price": "cheap"}))
    assert found(catalog, cheap) == {"pot", "new"}
    catalog.delete_item("pot")
    assert found(catalog, cheap) == {"new"}


def test_columns_are_few(monkeypatch):
    """Those that were asked for last, and none of what no item has."""
    monkeypatch.setattr(module, "MOST_COLUMNS", 2)
    catalog = Catalog()
    catalog.put_item(Item("a", attributes={"x": 1, "y": 2, "z": 3}))
    for name in ("x", "y", "none", "x", "z", "none"):
        found(catalog, Filter(bounds=(Bounds(name, 1),)))

    assert list(catalog.facets._columns) == ["x", "z"]


@given(st.lists(st.integers(0, 5), max_size=40))
def test_rows_of_a_value_come_and_go(changes):
    """Half of what is kept is there at least."""
    rows, expected = module._Rows(), set()
    for row in changes:
        (rows.remove if row in expected else rows.add)(row)
        expected ^= {row}
        assert sorted(rows.read().tolist()) == sorted(expected)
        assert len(rows) == len(expected) and len(rows._rows) <= 2 * len(expected)
