"""The graph beside the catalog: what items have in common, and which items name which. Updated in place by one owner.

An item has edges to *entities*: each of its categories, tags and attributes (a brand, an author, a cuisine), the family
of its title ("Iron Man" of "Iron Man 2"), and each item that its relations name, which is an entity of its own with an
edge to itself. Items with an entity in common are one step from one another over it. An entity of very many items
says nothing that the category does not.

With 6 edges an item costs some 200 bytes (benchmarks/relations.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.facts import read_facts
from stream_rec.catalog.inverted_index import InvertedIndex
from stream_rec.events.item import Item
from stream_rec.words import split_words

FAMILY, SHARED, RELATION = 1, 2, 3
"""Kinds of edges: to the family of a title, to a fact in common, to an item that is named."""
MOST_PER_ITEM = 32
"""Edges of an item, those to named items first: a bound on memory."""
MOST_MEMBERS = 200
"""Items of an entity, above which it says nothing."""
LONGEST = 300
"""Characters of an entity, its name included; one that is longer is left out."""
FAMILY_WORDS = 6
"""Words of a title that are compared at most."""


class Graph:
    """Edges by catalog row."""

    def __init__(self) -> None:
        """Begin empty."""
        self.index = InvertedIndex()
        """Keys are entities, counts kinds of edges; for reading."""

    def put(self, row: int, item: Item) -> None:
        """Take the new or changed record of an item."""
        edges = dict(islice((edge for edge in _edges_of(item) if len(edge[0]) <= LONGEST), MOST_PER_ITEM))
        own = _named(item.item_id)
        if item.relations or own in self.index.ids:
            edges = {own: RELATION, **dict(islice(edges.items(), MOST_PER_ITEM - 1))}
        self.index.put(row, edges)

    def see_named(self, row: int, item_id: str) -> None:
        """Note that another item names this one, which has a record: from now on it is an entity."""
        own = _named(item_id)
        edges = self.index.counts_of(row)
        if own not in edges:
            self.index.put(row, {own: RELATION, **dict(islice(edges.items(), MOST_PER_ITEM - 1))})

    def delete(self, row: int) -> None:
        """Forget an item, if it is here."""
        self.index.delete(row)

    def find_common(self, row: int, others: NDArray[np.int64]) -> tuple[int, str] | None:
        """Return the rarest entity that an item has in common with some others, and with which of them, the first.

        Returns:
            Position in ``others``, and the entity as ``describe`` reads it; None where there is none.
        """
        sizes = self.index.postings.sizes
        own = {number: int(sizes[number]) for number in self.index.keys_of(row).tolist()}
        best: tuple[int, int, str] | None = None
        for position, other in enumerate(others.tolist()):
            if other == row:
                continue
            for number in self.index.keys_of(other).tolist():
                size = own.get(number, MOST_MEMBERS + 1)
                if size <= MOST_MEMBERS and (best is None or size < best[0]):
                    best = size, position, self.index.key_of(number)
        return None if best is None else best[1:]


def describe(entity: str) -> tuple[str, str]:
    """Return an entity's name and value: ("brand", "Acme"), ("family", "iron man"), ("", "item-1") of a named item.

    >>> item = Item("i", "Iron Man 2", tags=["hero"], relations={"part_of": ["x"]})
    >>> [describe(entity) for entity, _ in _edges_of(item)]
    [('', 'x'), ('family', 'iron man'), ('tag', 'hero')]
    """
    name, _, value = entity.partition("\x1f")
    return name, value


def find_family(title: str) -> str:
    """Return what titles of one series have in common, "" where nothing is left.

    >>> [find_family(title) for title in ("The Iron Man 2", "Iron Man: The Return", "Rocky IV", "2")]
    ['iron man', 'iron man', 'rocky', '']
    """
    words = split_words(_END_OF_FAMILY.split(title, maxsplit=1)[0][:200])[:FAMILY_WORDS]
    while words and _NUMBER.fullmatch(words[-1]):
        words.pop()
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    return " ".join(words)


_END_OF_FAMILY = re.compile(r"[:(\[]| [-\u2013\u2014] ")
_NUMBER = re.compile(r"\d+|i{1,3}|iv|vi{0,3}|ix|x|part|pt|vol|volume|chapter|episode|season|no")
_ARTICLES = {"the", "a", "an"}


def _named(item_id: str) -> str:
    return f"\x1f{item_id}"


def _edges_of(item: Item) -> Iterator[tuple[str, int]]:
    """Yield an item's entities with the kinds of the edges, named items first, each in an order of its own."""
    for name in sorted(item.relations):
        for item_id in item.relations[name]:
            yield _named(item_id), RELATION
    if family := find_family(item.title):
        yield f"family\x1f{family}", FAMILY
    for name, text in read_facts(item):
        if text:
            yield f"{name}\x1f{text}", SHARED
    if item.category:
        yield f"category\x1f{item.category}", SHARED
    for tag in item.tags:
        yield f"tag\x1f{tag}", SHARED
