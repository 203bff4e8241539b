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
    return _nearest(pool, reduced, np.stack((profile, last)) @ components, BY_TEXT)


def newcomers(catalog: Catalog) -> np.ndarray:
    """Return the rows of the items whose first event came last, the newest last."""
    return np.array(catalog.knowledge.newcomers[-NEWCOMERS:], dtype=np.int64)


@numba.njit(cache=True, fastmath=True)
def _nearest(pool, vectors, wanted, k):
    """Return the ``k`` rows nearest to each vector wanted, one after the other."""
    best_rows = np.empty((len(wanted), k), dtype=np.int64)
    best = np.empty((len(wanted), k), dtype=np.float32)
    n = min(k, len(pool))
    for at in range(len(pool)):
        row = pool[at]
        for which in range(len(wanted)):
            similarity = np.float32(0.0)
            for d in range(wanted.shape[1]):
                similarity += vectors[row, d] * wanted[which, d]
            if at >= k and similarity <= best[which, k - 1]:
                continue
            place = min(at, k - 1)
            while place > 0 and best[which, place - 1] < similarity:
                best[which, place] = best[which, place - 1]
                best_rows[which, place] = best_rows[which, place - 1]
                place -= 1
            best[which, place] = similarity
            best_rows[which, place] = row
    return best_rows[:, :n].copy().ravel()
