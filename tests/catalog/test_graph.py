"""The graph against what the items themselves say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.graph import FAMILY, MOST_MEMBERS, MOST_PER_ITEM, RELATION, SHARED, Graph, describe, find_family
from stream_rec.events.item import Item

IDS = tuple("abcdef")
words = st.sampled_from(["", "Red", "Red 2", "The red: again", "Blue"])
items = st.builds(
    Item,
    st.sampled_from(IDS),
    title=words,
    category=st.sampled_from(["", "x"]),
    tags=st.lists(st.sampled_from(["t", "u"]), max_size=2),
    attributes=st.dictionaries(
        st.sampled_from(["brand", "maker"]), st.sampled_from(["Acme", ["Acme", "Beta"], 3, True])
    ),
    relations=st.dictionaries(
        st.sampled_from(["series", "part_of"]), st.lists(st.sampled_from([*IDS, "z"]), max_size=2)
    ),
)
changes = st.lists(items | st.sampled_from(IDS), max_size=15)


def after(history: list[Item | str]) -> tuple[Catalog, dict[str, Item]]:
    """Return the catalog after items were put, or deleted where there is an id, and the items left."""
    catalog, left = Catalog(), {}
    for change in history:
        if isinstance(change, str):
            catalog.delete_item(change)
            left.pop(change, None)
        else:
            catalog.put_item(change)
            left[change.item_id] = change
    return catalog, left


def in_common(one: Item, other: Item) -> set[tuple[str, str]]:
    """Return what two items have in common, by reading their records."""

    def facts(item: Item) -> set[tuple[str, str]]:
        said = {("category", item.category), ("tag", ""), ("family", find_family(item.title))}
        said |= {("tag", tag) for tag in item.tags}
        for name, value in item.attributes.items():
            said |= {(name, each) for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)}
        return {(name, value) for name, value in said if value}

    def named(item: Item) -> set[tuple[str, str]]:
        return {("", item_id) for ids in item.relations.values() for item_id in ids} | {("", item.item_id)}

    return (facts(one) & facts(other)) | (named(one) & named(other))


@settings(max_examples=150, deadline=None)
@given(changes)
def test_edges_are_those_of_the_records_that_are_left(history):
    """After any puts, changes and deletes: two items have in common what their records say, in either order."""
    catalog, left = after(history)
    graph = catalog.graph
    for one in left.values():
        for other in left.values():
            if one is not other:
                mine, theirs = (set(graph.index.keys_of(catalog.find(i.item_id)).tolist()) for i in (one, other))
                assert {describe(graph.index.key_of(number)) for number in mine & theirs} == in_common(one, other)
    for item_id in set(IDS) - left.keys():
        assert (row := catalog.find(item_id)) is None or len(graph.index.keys_of(row)) == 0


def kinds_of(item: Item) -> dict[tuple[str, str], int]:
    graph = Graph()
    graph.put(0, item)
    entries = graph.index.entries
    kinds = entries.counts[entries.starts[0] : entries.starts[0] + entries.sizes[0]].tolist()
    return {describe(graph.index.key_of(number)): kind for number, kind in zip(graph.index.keys_of(0).tolist(), kinds)}


def test_edges_say_of_which_kind_they_are():
    """Numbers, links and documents are no entities."""
    attributes = {"brand": "Acme", "x" * 300: "y", "price": 3, "photo": "https://a/b", "about": "x" * 5000, "new": True}
    item = Item("i", "Rocky IV", "", "film", ["sport"], attributes, {"series": ["j"]})

    assert kinds_of(item) == {
        ("", "i"): RELATION,
        ("", "j"): RELATION,
        ("family", "rocky"): FAMILY,
        ("brand", "Acme"): SHARED,
        ("category", "film"): SHARED,
        ("tag", "sport"): SHARED,
    }


def test_an_item_has_only_so_many_edges():
    """Those to named items before all others, whatever else it has."""
    item = Item("i", "Rocky IV", tags=[f"t{n}" for n in range(900)], relations={"series": ["j"]})
    edges = kinds_of(item)

    assert len(edges) == MOST_PER_ITEM and {("", "i"), ("", "j"), ("family", "rocky")} < edges.keys()


@pytest.mark.parametrize(
    ("title", "family"),
    [
        ("The Matrix Reloaded", "matrix reloaded"),
        ("Alien 3", "alien"),
        ("Harry Potter and the Goblet of Fire", "harry potter and the goblet of"),
        ("Star Wars: Episode V - The Empire Strikes Back", "star wars"),
        ("Die Hard (1988)", "die hard"),
        ("The", "the"),
        ("III", ""),
        ("", ""),
        (": what", ""),
    ],
)
def test_families_of_titles(title: str, family: str):
    """What stands before a colon, without numbers at its end and an article at its beginning."""
    assert find_family(title) == family


def test_the_rarest_in_common_is_found():
    """With the newest item that has it; what too many have is nothing in common."""
    catalog = Catalog()
    for number in range(MOST_MEMBERS + 1):
        catalog.put_item(Item(f"i{number}", tags=["many"], category="few" if number < 3 else ""))
    catalog.put_item(Item("a", tags=["many"], category="few", attributes={"brand": "Acme"}))
    catalog.put_item(Item("b", attributes={"brand": "Acme"}))
    rows = {item_id: catalog.find(item_id) for item_id in ("a", "b", "i0", "i1", "i9")}

    def common(item_id: str, *others: str) -> tuple[int, str] | None:
        return catalog.graph.find_common(rows[item_id], np.array([rows[other] for other in others]))

    assert common("a", "i0", "i1", "b") == (2, "brand\x1fAcme")
    assert common("a", "a", "i1", "i0") == (1, "category\x1ffew")
    assert common("i9", "i0", "a") is None
