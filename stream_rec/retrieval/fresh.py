"""Source `fresh`: items with hardly any events, by their text and by when they appeared."""

from __future__ import annotations

import numba
import numpy as np

from stream_rec.catalog.catalog import Catalog

BY_TEXT = 20
"""Fresh items nearest to the user's taste, and as many nearest to the last item."""
NEWCOMERS = 20
"""Items whose first event came last."""


def fresh_by_text(catalog: Catalog, profile: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the rows of fresh items whose text is nearest to two vectors, searched in the reduced space.

    Args:
        profile: (d,) the user's taste, and ``last``: (d,) the vector of the last item.
    """
    pool = catalog.fresh.rows()
    reduced, components = catalog.reduced_vectors()
    if not len(pool) or not len(profile):
        return np.zeros(0, dtype=np.int64)
    return np.concatenate(
        [
            _nearest(pool, reduced, profile @ components, BY_TEXT),
            _nearest(pool, reduced, last @ components, BY_TEXT),
        ]
    )


def newcomers(catalog: Catalog) -> np.ndarray:
    """Return the rows of the items whose first event came last, the newest last."""
    return np.array(catalog.knowledge.newcomers[-NEWCOMERS:], dtype=np.int64)


@numba.njit(cache=True, fastmath=True)
def _nearest(pool, vectors, wanted, k):
    best_rows = np.empty(k, dtype=np.int64)
    best = np.empty(k, dtype=np.float32)
    n = 0
    for row in pool:
        similarity = np.float32(0.0)
        for d in range(len(wanted)):
            similarity += vectors[row, d] * wanted[d]
        if n == k and similarity <= best[n - 1]:
            continue
        place = n if n < k else k - 1
        while place > 0 and best[place - 1] < similarity:
            best[place] = best[place - 1]
            best_rows[place] = best_rows[place - 1]
            place -= 1
        best[place] = similarity
        best_rows[place] = row
        n = min(n + 1, k)
    return best_rows[:n]
