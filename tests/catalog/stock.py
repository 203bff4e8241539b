"""Catalogs for tests, and the slow and plain way to what they answer."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.embedding.codec import ItemEmbedding
from stream_rec.events.item import Item
from stream_rec.knowledge import popularity
from stream_rec.knowledge.state import ItemState

OLD, NEW = "old@1", "new@1"


def embedded(vector, encoder: str = OLD) -> ItemEmbedding:
    """Return an embedding of unit length."""
    vector = np.asarray(vector, dtype=np.float32)
    return ItemEmbedding(encoder, b"\0" * 16, vector / np.linalg.norm(vector))


def taught(*times_ms: int, predecessors: dict[str, int] | None = None) -> ItemState:
    """Return what is known of an item that was viewed at these times and came after these items."""
    sums, last_ms = [], None
    for at in times_ms:
        sums, last_ms = popularity.add(sums, last_ms, at)
    return ItemState(
        counts=(len(times_ms), 0, 0),
        sums=sums,
        first_ms=min(times_ms, default=None),
        last_ms=last_ms,
        predecessors=predecessors or {},
    )


def stocked(*item_ids: str) -> Catalog:
    """Return a catalog in which these items are listed; nothing is known of them."""
    catalog = Catalog()
    for item_id in item_ids:
        catalog.put_item(Item(item_id))
    return catalog


def neighbours(catalog: Catalog, item_id: str) -> list[str]:
    """Return the ids of an item's text neighbours, best first."""
    rows, _ = catalog.similar.of(catalog.find(item_id))
    return [catalog.item_ids[row] for row in rows]


def contents(catalog: Catalog) -> list:
    """Return everything a catalog answers, to see that nothing changed."""
    rows = range(len(catalog))
    return [
        list(catalog.item_ids),
        catalog.is_listed.tolist(),
        [catalog.item(row) for row in rows],
        [[a.tolist() for a in catalog.similar.of(row)] for row in rows],
        [[a.tolist() for a in catalog.knowledge.followers(row)] for row in rows],
        [catalog.knowledge.trending(h, catalog.is_listed, 10).tolist() for h in range(len(popularity.HALF_LIVES_MS))],
        catalog.knowledge.counts[: len(catalog)].tolist(),
        catalog.knowledge.newest_ms,
    ]
