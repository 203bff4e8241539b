"""Source `trending`: what is popular now, at several half-lives."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.retrieval.candidates import Found

USED = tuple(HALF_LIVES_MS.index(hours * HOUR_MS) for hours in (6, 72, 720))
"""Fast, middle and slow: one alone fits one log and fails another. The learning head will weigh them itself."""


def trending(catalog: Catalog, k: int) -> Found:
    """Return the listed items most popular at any of the half-lives; each scaled by its best, then averaged."""
    best = [catalog.knowledge.trending(half_life, catalog.is_listed, k) for half_life in USED]
    rows = np.unique(np.concatenate(best)) if best else np.zeros(0, np.int64)
    if not len(rows):
        return Found.nothing()
    levels = catalog.knowledge.levels[rows][:, USED]
    scores = np.exp2(levels - levels.max(axis=0)).mean(axis=1)
    return Found(rows, scores, np.full(len(rows), -1))
