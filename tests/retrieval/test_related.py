"""Source `related`, over one step in the graph."""

from __future__ import annotations

import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.graph import MOST_MEMBERS
from stream_rec.events.item import Item
from stream_rec.retrieval.related import DECAY, ITEMS, add_related
from stream_rec.retrieval.scratch import RELATED
from tests.retrieval.columns import column, rows_of, scratch_for

FAMILY, SHARED, RELATION = RELATED, RELATED + 1, RELATED + 2


def related_to(catalog: Catalog, *recent: str) -> list[dict[str, float]]:
    """Return what each kind of edge adds for a user with these items, the first one newest."""
    scratch = scratch_for(catalog)
    add_related(scratch, rows_of(catalog, *recent), catalog.graph)
    return [column(scratch, catalog, each) for each in (FAMILY, SHARED, RELATION)]


def test_what_few_have_in_common_counts_more():
    """Four of one brand, two of one series; the item before the last counts 0.8 times."""
    catalog = Catalog()
    for item_id in "abcd":
        catalog.put_item(Item(item_id, attributes={"brand": "Acme"}, title="Pot 2" if item_id < "c" else item_id))
    catalog.put_item(Item("e", tags=["rare"]))
    catalog.put_item(Item("f", tags=["rare"]))
    family, shared, relation = related_to(catalog, "a", "e")

    assert family == pytest.approx({"b": 1.0})
    third = 3**-0.5
    assert shared == pytest.approx({"b": third, "c": third, "d": third, "f": DECAY})
    assert relation == {}


def test_items_that_are_named_lead_both_ways():
    """To what the item names, to what names it, and to what names the same; whichever record came first."""
    items = [Item("set"), Item("cup", relations={"part_of": ["set"]}), Item("pot", relations={"goes_with": ["set"]})]
    for order in (items, items[::-1]):
        catalog = Catalog()
        for item in [*order, Item("other")]:
            catalog.put_item(item)
        half = 2**-0.5

        assert related_to(catalog, "set")[2] == pytest.approx({"cup": half, "pot": half})
        assert related_to(catalog, "cup")[2] == pytest.approx({"set": half, "pot": half})


def test_an_item_that_is_named_and_has_no_record_links_who_names_it():
    """It is in no list, as it is not listed."""
    catalog = Catalog()
    for item_id in ("a", "b"):
        catalog.put_item(Item(item_id, relations={"series": ["gone"]}))

    assert related_to(catalog, "a")[2] == {"b": 1.0}


def test_what_very_many_have_says_nothing():
    """The bound is the entity's members."""
    catalog = Catalog()
    for number in range(MOST_MEMBERS):
        catalog.put_item(Item(f"i{number}", category="same"))
    assert len(related_to(catalog, "i0")[1]) == MOST_MEMBERS - 1

    catalog.put_item(Item("one more", category="same"))
    assert related_to(catalog, "i0")[1] == {}


def test_only_the_last_items_are_looked_at():
    """Of 13 recent items the first one is too long ago."""
    catalog = Catalog()
    recent = [f"r{n}" for n in range(ITEMS + 1)]
    for item_id in recent:
        catalog.put_item(Item(item_id))
    for item_id in (recent[-1], "x"):
        catalog.put_item(Item(item_id, category="c"))

    assert related_to(catalog, *recent)[1] == {}
    assert related_to(catalog, *recent[1:])[1] == pytest.approx({"x": DECAY ** (ITEMS - 1)})
