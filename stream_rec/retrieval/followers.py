"""Source `followers`: what users came to after the items that this user had last."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.retrieval.candidates import Found
from stream_rec.user.state import Entry


def followers(recent: list[Entry], catalog: Catalog, recency: float) -> Found:
    """Return the followers of each recent item by their share of its pairs; the n-th last counts ``recency ** n``."""
    parts = []
    for n, entry in enumerate(recent):
        row = catalog.find(entry.item_id)
        rows, weights = catalog.knowledge.followers(row) if row is not None else ((), ())
        if len(rows) == 0:
            parts.append((np.zeros(0, np.int64), np.zeros(0)))
        else:
            parts.append((rows, weights * (recency**n / weights.sum())))
    return Found.union(parts)
