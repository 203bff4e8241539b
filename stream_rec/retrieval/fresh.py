"""Source `fresh`: items with hardly any events, by their text and by when they appeared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.kernel import kernel
from stream_rec.retrieval.scratch import insert_best

BY_TEXT = 20
"""Fresh items nearest to the user's taste, and as many nearest to the last item."""
NEWCOMERS = 20
"""Items whose first event came last."""


def find_fresh_by_text(catalog: Catalog, profile: NDArray[np.float32], last: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the rows of fresh items whose text is nearest to two vectors, searched in the reduced space.

    Args:
        profile: (d,) the user's taste, and ``last``: (d,) the vector of the last item.
    """
    pool = catalog.fresh.rows()
    reduced, components = catalog.reduced_vectors()
    if not len(pool) or not len(profile):
        return np.zeros(0, dtype=np.int64)
    return _nearest(pool, reduced, np.stack((profile, last)) @ components, BY_TEXT)


def find_newcomers(catalog: Catalog) -> NDArray[np.int64]:
    """Return the rows of the items whose first event came last, the newest last."""
    return np.array(catalog.knowledge.newcomers[-NEWCOMERS:], dtype=np.int64)


@kernel(fastmath=True)
def _nearest(
    pool: NDArray[np.int64], vectors: NDArray[np.float32], wanted: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    """Return the ``k`` rows of ``pool``, (f,), nearest to each vector wanted, one after the other.

    Args:
        vectors: (>= n, c) by row.
        wanted: (w, c)
    """
    best_rows = np.empty((len(wanted), k), dtype=np.int64)
    best = np.empty((len(wanted), k), dtype=np.float32)
    n = min(k, len(pool))
    for index in range(len(pool)):
        row = pool[index]
        for which in range(len(wanted)):
            similarity = np.float32(0.0)
            for d in range(wanted.shape[1]):
                similarity += vectors[row, d] * wanted[which, d]
            if index < k or similarity > best[which, k - 1]:
                insert_best(best_rows[which], best[which], min(index, k), row, similarity)
    return best_rows[:, :n].copy().ravel()
