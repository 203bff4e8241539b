"""Source `fresh`: items with hardly any events, by their text, by their first popularity and by when they appeared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.kernel import kernel
from stream_rec.retrieval.scratch import find_largest, insert_best

NEAR_TASTE, NEAR_LAST = 15, 10
"""Items of a pool nearest to the user's taste, and nearest to the last item."""
ROUGHLY = 120
"""How many of each are found by the leading components, and then compared by all."""
NEWCOMERS = 10
"""Items whose first event came last."""


def find_nearest(
    pool: NDArray[np.int64], catalog: Catalog, taste: NDArray[np.float32], last: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return the rows of ``pool``, (p,), whose text is nearest to the user's taste, then the nearest to the last item.

    Args:
        taste: (spaces, c), and ``last``: (spaces, c).
    """
    if not len(pool) or not catalog.spaces.n_items:
        return _NO_ROWS
    return _nearest(
        pool, catalog.spaces.vectors(), catalog.spaces.leading(), taste, last, (NEAR_TASTE, NEAR_LAST), ROUGHLY
    )


def find_nearest_in_each(
    wanted: NDArray[np.float32], pool: NDArray[np.int64], catalog: Catalog, n: int
) -> NDArray[np.int64]:
    """Return the ``n`` rows of ``pool``, (p,), whose text is nearest to ``wanted``, (spaces, c), in each space.

    Of spaces in which ``wanted`` has a vector.
    """
    present = np.flatnonzero(wanted.any(axis=1))
    alone = np.zeros((len(present), *wanted.shape), dtype=np.float32)
    alone[np.arange(len(present)), present] = wanted[present]
    return find_nearest_to(alone, pool, catalog, n)


def find_nearest_to(
    wanted: NDArray[np.float32], pool: NDArray[np.int64], catalog: Catalog, n: int
) -> NDArray[np.int64]:
    """Return the ``n`` rows of ``pool``, (p,), whose text is nearest to each of ``wanted``, (w, spaces, c), two at a
    time; nothing for one that has no vector."""
    wanted = wanted[wanted.any(axis=(1, 2))]
    if not len(pool) or not len(wanted) or not catalog.spaces.n_items:
        return _NO_ROWS
    spaces = catalog.spaces
    found = [
        _nearest(pool, spaces.vectors(), spaces.leading(), pair[0], pair[-1], (n, n * (len(pair) - 1)), ROUGHLY)
        for pair in (wanted[start : start + 2] for start in range(0, len(wanted), 2))
    ]
    return np.concatenate(found)


def find_newcomers(catalog: Catalog) -> NDArray[np.int64]:
    """Return the rows of the items whose first event came last, the newest last."""
    return np.array(catalog.knowledge.newcomers[-NEWCOMERS:], dtype=np.int64)


def find_without_events(catalog: Catalog, n: int) -> NDArray[np.int64]:
    """Return the rows of at most ``n`` listed items that nobody came to yet, the same ones in every process."""
    rows = np.flatnonzero(catalog.fresh.unseen.is_in[: len(catalog)])  # all, not the newest of them alone
    if len(rows) > n:
        rows = rows[np.argpartition(catalog.tie_breaks[rows], n)[:n]]
    return rows


@kernel(fastmath=True)
def _nearest(
    pool: NDArray[np.int64],
    vectors: NDArray[np.float32],
    leading: NDArray[np.float32],
    taste: NDArray[np.float32],
    last: NDArray[np.float32],
    n_near: tuple[int, int],
    roughly: int,
) -> NDArray[np.int64]:
    """Return the rows of ``pool``, (p,), nearest to each of two vectors among the ``roughly`` nearest, nearest first.

    A row without vectors has a similarity of 0. Of equals those that stand first in ``pool`` are nearer.

    Args:
        vectors: (>= n, spaces, c) by row, and ``leading``: (>= n, spaces, l) the first of their components.
        taste: (spaces, c), and ``last``: (spaces, c).
        n_near: How many to each.
    """
    found = np.empty(n_near[0] + n_near[1], dtype=np.int64)
    similarities = np.empty(len(found), dtype=np.float32)
    n_found = 0
    wanted = np.stack((taste, last))
    rough = _compare(pool, leading, wanted[:, :, : leading.shape[2]])
    for each in range(2):
        rows = pool[_most_similar(rough[each], roughly)]
        exact = _compare(rows, vectors, wanted[each : each + 1])[0]
        begin, n = n_found, 0
        end = begin + n_near[each]
        for k in range(len(rows)):
            if n < n_near[each] or exact[k] > similarities[begin + n - 1]:
                n = insert_best(found[begin:end], similarities[begin:end], n, rows[k], exact[k])
        n_found += n
    return found[:n_found]


@kernel(fastmath=True)
def _compare(rows: NDArray[np.int64], vectors: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the products of some vectors with those of each of ``rows``, (r,), as (w, r).

    One sum over all spaces, each row read once for all that is wanted, and no choosing in between: a list's search
    takes 250 µs for 7,000 rows of two spaces, and took 320 with a sum for each space and choosing as it went.

    Args:
        vectors: (>= n, spaces, l) by row.
        wanted: (w, spaces, l)
    """
    joined, flat = vectors.reshape(len(vectors), -1), wanted.copy().reshape(len(wanted), -1)
    products = np.empty((len(wanted), len(rows)), dtype=np.float32)
    for k in range(len(rows)):
        row = rows[k]
        for each in range(len(wanted)):
            product = np.float32(0.0)
            for d in range(joined.shape[1]):
                product += joined[row, d] * flat[each, d]
            products[each, k] = product
    return products


@kernel()
def _most_similar(similarities: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the ``k`` indices with the largest similarities, (p,), ascending; of equals the first ones."""
    if len(similarities) <= k:
        return np.arange(len(similarities))
    least, n_equal = find_largest(similarities.copy(), k), k
    for index in range(len(similarities)):
        n_equal -= int(similarities[index] > least)
    indices = np.empty(k, dtype=np.int64)
    n = 0
    for index in range(len(similarities)):
        if similarities[index] > least or (similarities[index] == least and n_equal > 0):
            n_equal -= int(similarities[index] == least)
            indices[n] = index
            n += 1
    return indices


_NO_ROWS = np.zeros(0, dtype=np.int64)
