"""Source `fresh`: items with hardly any events, by their text, by their first popularity and by when they appeared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.kernel import kernel
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.retrieval.scratch import insert_best

NEAR_TASTE, NEAR_LAST = 15, 10
"""Items nearest to the user's taste, and nearest to the last item: of those without events, and as many of the rest."""
ROUGHLY = 60
"""Of each, how many are found by the leading components, and then compared by all."""
RISING = 20
"""Items with few events that are most popular at each of two half-lives."""
HALF_LIVES = HALF_LIVES_MS.index(24 * HOUR_MS), HALF_LIVES_MS.index(7 * 24 * HOUR_MS)
NEWCOMERS = 10
"""Items whose first event came last."""


def find_fresh_by_text(catalog: Catalog, taste: NDArray[np.float32], last: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the rows of fresh items whose text is nearest to the user's taste and to that of the last item.

    Items without any event have places of their own, for those that have one are the likelier.

    Args:
        taste: (spaces, c), and ``last``: (spaces, c).
    """
    pool = catalog.fresh.rows()
    if not len(pool) or not catalog.spaces.n_items:
        return _NO_ROWS
    return _nearest(
        pool,
        catalog.knowledge.first_ms,
        catalog.spaces.vectors(),
        catalog.spaces.leading(),
        np.stack((taste, last)),
        np.array((NEAR_TASTE, NEAR_LAST)),
        ROUGHLY,
    )


def find_rising(catalog: Catalog) -> NDArray[np.int64]:
    """Return the rows of the items that are most popular among those with few events, some of them twice."""
    pool = catalog.fresh.rows()
    if not len(pool):
        return _NO_ROWS
    return _rising(pool, catalog.knowledge.levels, HALF_LIVES, RISING)


def find_newcomers(catalog: Catalog) -> NDArray[np.int64]:
    """Return the rows of the items whose first event came last, the newest last."""
    return np.array(catalog.knowledge.newcomers[-NEWCOMERS:], dtype=np.int64)


@kernel(fastmath=True)
def _nearest(
    pool: NDArray[np.int64],
    first_ms: NDArray[np.float64],
    vectors: NDArray[np.float32],
    leading: NDArray[np.float32],
    wanted: NDArray[np.float32],
    n_near: NDArray[np.int64],
    roughly: int,
) -> NDArray[np.int64]:
    """Return the rows of ``pool``, (f,), nearest to each of some vectors among the ``roughly`` nearest.

    A row without vectors has a similarity of 0. Rows without events come first, of these the nearest to the first
    vector, the nearest first.

    Args:
        first_ms: (>= n,) by row when its first event was, 0 where there is none.
        vectors: (>= n, spaces, c) by row, and ``leading``: (>= n, spaces, l) the first of their components.
        wanted: (w, spaces, c)
        n_near: (w,) how many to each.
    """
    n_wanted, spaces, n_components = wanted.shape
    in_use = [space for space in range(spaces) if wanted[:, space].any()]  # the others add nothing
    best_rows = np.empty((2, n_wanted, roughly), dtype=np.int64)
    best = np.empty((2, n_wanted, roughly), dtype=np.float32)
    n = np.zeros((2, n_wanted), dtype=np.int64)
    for row in pool:
        has_events = int(first_ms[row] != 0.0)
        for each in range(n_wanted):
            similarity = np.float32(0.0)
            for space in in_use:
                for d in range(leading.shape[2]):
                    similarity += leading[row, space, d] * wanted[each, space, d]
            count = n[has_events, each]
            if count < roughly or similarity > best[has_events, each, count - 1]:
                n[has_events, each] = insert_best(
                    best_rows[has_events, each], best[has_events, each], count, row, similarity
                )
    found = np.empty(2 * n_near.sum(), dtype=np.int64)
    most = np.empty(len(found), dtype=np.float32)
    n_found = 0
    for has_events in range(2):
        for each in range(n_wanted):
            begin, count = n_found, 0
            end = begin + n_near[each]
            for row in best_rows[has_events, each, : n[has_events, each]]:
                similarity = np.float32(0.0)
                for space in in_use:
                    for d in range(n_components):
                        similarity += vectors[row, space, d] * wanted[each, space, d]
                if count < n_near[each] or similarity > most[begin + count - 1]:
                    count = insert_best(found[begin:end], most[begin:end], count, row, similarity)
            n_found += count
    return found[:n_found]


@kernel()
def _rising(
    pool: NDArray[np.int64], levels: NDArray[np.float64], half_lives: tuple[int, int], k: int
) -> NDArray[np.int64]:
    """Return the ``k`` rows of ``pool``, (f,), with the highest level at each half-life, one after the other.

    Args:
        levels: (>= n, half-lives) as of ``Knowledge``; that of an item without events is minus infinity.
        half_lives: Columns of it.
    """
    found = np.empty(len(half_lives) * k, dtype=np.int64)
    best_rows, best = np.empty(k, dtype=np.int64), np.empty(k, dtype=levels.dtype)
    n_found = 0
    for column in half_lives:
        n = 0
        for row in pool:
            level = levels[row, column]
            if level > -np.inf and (n < k or level > best[n - 1]):
                n = insert_best(best_rows, best, n, row, level)
        found[n_found : n_found + n] = best_rows[:n]
        n_found += n
    return found[:n_found]


_NO_ROWS = np.zeros(0, dtype=np.int64)
