"""Source `repeat`: the user's own items, for what is bought or looked at again and again."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.knowledge.popularity import HOUR_MS
from stream_rec.retrieval.candidates import Found
from stream_rec.user.state import Entry, UserState
from stream_rec.user.taste import own_items

HALF_LIFE_MS = 30 * 24 * HOUR_MS


def repeat(user: UserState, recent: list[Entry], catalog: Catalog, now_ms: int) -> Found:
    """Return the user's own items by how often (as a logarithm) and how lately."""
    place_of = {entry.item_id: place for place, entry in enumerate(recent)}
    known = [(row, own) for own in own_items(user) if (row := catalog.find(own.item_id)) is not None]
    if not known:
        return Found.nothing()
    known.sort(key=lambda pair: pair[0])
    ages_ms = np.array([max(0, now_ms - own.last_ms) for _, own in known])
    return Found(
        rows=np.array([row for row, _ in known]),
        scores=np.log1p([sum(own.counts) for _, own in known]) * np.exp2(-ages_ms / HALF_LIFE_MS),
        evidence=np.array([place_of.get(own.item_id, -1) for _, own in known]),
    )
