"""Which items have what is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.facets import EVERYTHING, Facets, Filter
from stream_rec.events.item import Item


def found(catalog: Catalog, wanted: Filter) -> set[str]:
    is_in = catalog.facets.find(wanted, catalog.is_listed)
    return {catalog.item_ids[row] for row in np.flatnonzero(is_in)}


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog(Facets())
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
        (Filter(price_max=20), {"pot", "cup"}),
        (Filter(price_min=20), {"pot", "hose"}),
        (Filter(price_min=4.5, price_max=4.5), {"cup"}),
        (Filter(categories=("none",)), set()),
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
    attributes=st.dictionaries(st.sampled_from(["price", "k"]), st.sampled_from([1, 2, "2"])),
)


@given(st.lists(items | st.sampled_from("abc"), max_size=12))
def test_items_may_change_and_go(changes):
    """What is found follows from the newest records alone; an id is a deletion."""
    changed, items = Catalog(Facets()), {}
    for change in changes:
        if isinstance(change, str):
            changed.delete_item(change)
            items.pop(change, None)
        else:
            changed.put_item(change)
            items[change.item_id] = change
    made_anew = Catalog(Facets())
    for item in items.values():
        made_anew.put_item(item)
    for wanted in (
        Filter(categories=("x",)),
        Filter(tags=("s",)),
        Filter(attributes=(("k", "2"),)),
        Filter(price_min=2),
    ):
        assert found(changed, wanted) == found(made_anew, wanted)
