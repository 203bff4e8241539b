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
    vectors, leading = catalog.spaces.vectors(), catalog.spaces.leading()
    is_unseen = catalog.knowledge.first_ms[pool] == 0.0
    found = [
        _nearest(rows, vectors, leading, wanted, ROUGHLY, k)
        for rows in (pool[is_unseen], pool[~is_unseen])
        for wanted, k in ((taste, NEAR_TASTE), (last, NEAR_LAST))
    ]
    return np.concatenate(found)


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
    vectors: NDArray[np.float32],
    leading: NDArray[np.float32],
    wanted: NDArray[np.float32],
    roughly: int,
    k: int,
) -> NDArray[np.int64]:
    """Return the ``k`` rows of ``pool``, (f,), nearest to a vector among the ``roughly`` nearest, the nearest first.

    A row without vectors has a similarity of 0.

    Args:
        vectors: (>= n, spaces, c) by row, and ``leading``: (>= n, spaces, l) the first of their components.
        wanted: (spaces, c)
    """
    spaces, n_leading = leading.shape[1:]
    best_rows, best = np.empty(roughly, dtype=np.int64), np.empty(roughly, dtype=np.float32)
    n = 0
    for row in pool:
        similarity = np.float32(0.0)
        for space in range(spaces):
            for d in range(n_leading):
                similarity += leading[row, space, d] * wanted[space, d]
        if n < roughly or similarity > best[n - 1]:
            n = insert_best(best_rows, best, n, row, similarity)
    nearest, most = np.empty(k, dtype=np.int64), np.empty(k, dtype=np.float32)
    n_near = 0
    for row in best_rows[:n]:
        similarity = np.float32(0.0)
        for space in range(spaces):
            for d in range(vectors.shape[2]):
                similarity += vectors[row, space, d] * wanted[space, d]
        if n_near < k or similarity > most[n_near - 1]:
            n_near = insert_best(nearest, most, n_near, row, similarity)
    return nearest[:n_near].copy()


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
