"""Source `similar`: text neighbours of the user's recent items."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.retrieval.candidates import Found
from stream_rec.user.state import Entry


def similar(recent: list[Entry], catalog: Catalog, recency: float) -> Found:
    """Return the neighbours of each recent item; the n-th last counts ``recency ** n``."""
    parts = []
    for n, entry in enumerate(recent):
        row = catalog.find(entry.item_id)
        rows, similarities = catalog.similar.of(row) if row is not None else ((), ())
        if len(rows) == 0:
            parts.append((np.zeros(0, np.int64), np.zeros(0)))
        else:
            parts.append((rows, np.maximum(similarities, 1e-6) * recency**n))
    return Found.union(parts)
