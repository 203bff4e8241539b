"""How well items match something in words: a search, or what a user says to like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.embedding.item_embedding import MAX_SPACES

NAMES = ("words", *(f"text{space}" for space in range(1, MAX_SPACES + 1)))
"""Columns of ``match_query``."""


def match_query(
    query: str, vectors: NDArray[np.float32], rows: NDArray[np.int64], catalog: Catalog
) -> NDArray[np.float32]:
    """Return how well items match by words, and by each space, (k, len(NAMES)), 0 to 1.

    Words are measured against the best of the items, and against all that the query asks for: in a sentence of which
    the best item has two words of ten, words say little, and meaning decides.

    Args:
        vectors: (spaces, c) the query's, whitened as those of items, zero where there is none.
        rows: (k,) of the catalog.
    """
    match = np.zeros((len(rows), len(NAMES)), dtype=np.float32)
    words = catalog.words.score(query, rows)
    match[:, 0] = words / max(words.max(initial=0.0), catalog.words.weigh(query), 1e-9)
    of_items = catalog.spaces.vectors()
    for space in np.flatnonzero(vectors.any(axis=1)):
        match[:, 1 + space] = np.maximum(of_items[rows, space] @ vectors[space], 0.0)
    return match
