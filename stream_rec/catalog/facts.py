"""Facts about an item that are texts: what its words, and what it has in common with others, are read from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from stream_rec.embedding.text import MAX_ATTRIBUTE_CHARS
from stream_rec.events.item import Item


def read_facts(item: Item, most: int | None = None) -> Iterator[tuple[str, str]]:
    """Yield name and text of an item's attributes, ordered by name, those in lists too; no documents and no links.

    Args:
        most: Attributes looked at, the first by name; None: all.

    Example:
        >>> list(read_facts(Item("i", attributes={"price": 3, "brand": "Acme", "made_of": ["oak", "a" * 200]})))
        [('brand', 'Acme'), ('made_of', 'oak')]
    """
    for name in islice(sorted(item.attributes), most):
        value = item.attributes[name]
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str) and len(one) <= MAX_ATTRIBUTE_CHARS and "://" not in one:
                yield name, one
