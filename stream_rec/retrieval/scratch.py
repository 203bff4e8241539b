"""Scratch: one number for each source and item, added up for one list and cleared again in time of what was touched.

Sources add to their columns; the best of each column become candidates; ``ranking/features.py`` then reads all columns
of all candidates, so that a candidate of one source has the other sources' scores too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.embedding.item_embedding import ALL_SPACES
from stream_rec.kernel import kernel

EDGES = 3
"""Kinds of edges of the catalog's graph."""
LAST, RECENT, WIDE, RECENT_COSINE, WIDE_COSINE, SKNN, STAN, AFTER, NEXT, RELATED = range(10)
TEXT = RELATED + EDGES
"""Columns: successors of the last item, of recent items, of more items, and of the latter two by how often users come
to an item from anywhere; three kinds of session kNN, and what came next after the last item; what is related, a column
for each kind of edge; and neighbours by text and by what items bring, one for each space."""
COLUMNS = TEXT + ALL_SPACES


class Scratch:
    """Workspace of one process, as large as the catalog."""

    def __init__(self) -> None:
        self.values = np.zeros((0, COLUMNS), dtype=np.float32)
        """(>= n, columns) zero outside of the making of a list."""
        self.is_touched = np.zeros(0, dtype=bool)
        self.touched = np.zeros(0, dtype=np.int64)
        """Rows with any value, in the order in which they were touched; the first ``n_touched`` count."""
        self.n_touched = 0
        self.is_own = np.zeros(0, dtype=bool)
        """(>= n,) whether the user had an item: those have places of their own."""
        self._own_rows = np.zeros(0, dtype=np.int64)
        self.sources = np.zeros(0, dtype=np.int64)
        """(>= n,) bits of the sources that proposed an item."""
        self.chosen = np.zeros(0, dtype=np.int64)
        """Rows that some source proposed; the first ``n_chosen`` count."""
        self.n_chosen = 0

    def begin(self, n_rows: int) -> None:
        """Clear what the last list left, and make room for ``n_rows`` items."""
        _clear(self.values, self.is_touched, self.touched, self.n_touched, self.sources, self.chosen, self.n_chosen)
        self.n_touched = self.n_chosen = 0
        self.is_own[self._own_rows] = False
        self._own_rows = self._own_rows[:0]
        if n_rows > len(self.is_touched):
            room = max(n_rows, 2 * len(self.is_touched), 1024)
            self.values = np.zeros((room, COLUMNS), dtype=np.float32)
            self.is_touched = np.zeros(room, dtype=bool)
            self.is_own = np.zeros(room, dtype=bool)
            self.touched = np.zeros(room, dtype=np.int64)
            self.sources = np.zeros(room, dtype=np.int64)
            self.chosen = np.zeros(room, dtype=np.int64)

    def set_own(self, own_rows: NDArray[np.int64]) -> None:
        """Note what the user had: it has places of its own, and takes none of others."""
        self._own_rows = own_rows
        self.is_own[own_rows] = True

    def choose_first(self, rows: NDArray[np.int64], k: int, source: int) -> None:
        """Propose the first ``k`` of each row of ``rows``, (m, r), all of them listed, that the user did not have."""
        self.n_chosen = _choose_first(rows, k, 1 << source, self.is_own, self.sources, self.chosen, self.n_chosen)

    def choose_best(
        self, best: tuple[tuple[int, int, int], ...], is_listed: NDArray[np.bool_], *, own: bool = False
    ) -> None:
        """Propose listed rows with the largest values.

        Args:
            best: (column, how many, source) each.
            own: Of what the user had; otherwise of the rest.
        """
        self.n_chosen = _choose_best(
            self.values,
            self.touched,
            self.n_touched,
            best,
            is_listed,
            self.is_own,
            own,
            self.sources,
            self.chosen,
            self.n_chosen,
        )

    def choose(self, rows: NDArray[np.int64], source: int, is_listed: NDArray[np.bool_]) -> None:
        """Propose those of ``rows`` that are listed."""
        self.n_chosen = _choose(rows, 1 << source, is_listed, self.sources, self.chosen, self.n_chosen)


@kernel()
def touch(row: int, is_touched: NDArray[np.bool_], touched: NDArray[np.int64], n_touched: int) -> int:
    """Note that an item gets a value; return how many items have one now. For the kernels of sources.

    Args:
        row: Its values are 0 if it is new.
        is_touched: (>= n,) changed in place, as is
        touched: (>= n,) rows, the first ``n_touched`` of which count.
    """
    if not is_touched[row]:
        is_touched[row] = True
        touched[n_touched] = row
        n_touched += 1
    return n_touched


@kernel()
def _clear(
    values: NDArray[np.float32],
    is_touched: NDArray[np.bool_],
    touched: NDArray[np.int64],
    n_touched: int,
    sources: NDArray[np.int64],
    chosen: NDArray[np.int64],
    n_chosen: int,
) -> None:
    """Put zeros wherever the last list left something; arrays as of ``Scratch``, changed in place."""
    for k in range(n_touched):
        row = touched[k]
        is_touched[row] = False
        for column in range(values.shape[1]):
            values[row, column] = 0.0
    for k in range(n_chosen):
        sources[chosen[k]] = 0


@kernel()
def _propose(row: int, bit: int, sources: NDArray[np.int64], chosen: NDArray[np.int64], n_chosen: int) -> int:
    """Note that a source proposes an item; return how many rows are chosen now. Arguments as of ``_choose``."""
    if sources[row] == 0:
        chosen[n_chosen] = row
        n_chosen += 1
    sources[row] |= bit
    return n_chosen


@kernel()
def _choose(
    rows: NDArray[np.int64],
    bit: int,
    is_listed: NDArray[np.bool_],
    sources: NDArray[np.int64],
    chosen: NDArray[np.int64],
    n_chosen: int,
) -> int:
    """Propose those of ``rows`` that are listed; return how many rows are chosen now.

    Args:
        rows: (r,) one may stand there twice.
        bit: The source's, set in ``sources``, (>= n,), in place; ``chosen``, (>= n,), gets the new rows.
        is_listed: (n,)
    """
    for row in rows:
        if is_listed[row]:
            n_chosen = _propose(row, bit, sources, chosen, n_chosen)
    return n_chosen


@kernel()
def _choose_first(
    rows: NDArray[np.int64],
    k: int,
    bit: int,
    is_own: NDArray[np.bool_],
    sources: NDArray[np.int64],
    chosen: NDArray[np.int64],
    n_chosen: int,
) -> int:
    """Propose the first ``k`` of each of ``rows``, (m, r), that are not own; return how many are chosen now."""
    for each in range(len(rows)):
        n = 0
        for row in rows[each]:
            if n == k:
                break
            if is_own[row]:
                continue
            n += 1
            n_chosen = _propose(row, bit, sources, chosen, n_chosen)
    return n_chosen


@kernel()
def _choose_best(
    values: NDArray[np.float32],
    touched: NDArray[np.int64],
    n_touched: int,
    best: tuple[tuple[int, int, int], ...],
    is_listed: NDArray[np.bool_],
    is_own: NDArray[np.bool_],
    own: bool,
    sources: NDArray[np.int64],
    chosen: NDArray[np.int64],
    n_chosen: int,
) -> int:
    """Propose the best listed rows of each (column, how many, source) in ``best``; return how many are chosen now.

    Each row is read once, and each column then lies by itself: half the time of reading the rows for each column.

    Args:
        values: (>= n, columns).
        is_own: (>= n,) whether the user had it; rows for which it is ``own`` count.
        sources: As of ``_choose``, and so the others.
    """
    rows = np.empty(n_touched, dtype=np.int64)
    by_column = np.empty((values.shape[1], n_touched), dtype=values.dtype)
    n = 0
    for index in range(n_touched):
        row = touched[index]
        if is_listed[row] and is_own[row] == own:
            rows[n] = row
            for column in range(values.shape[1]):
                by_column[column, n] = values[row, column]
            n += 1
    for column, k, source in best:
        for row in _largest(by_column[column, :n], rows[:n], k):
            n_chosen = _propose(row, 1 << source, sources, chosen, n_chosen)
    return n_chosen


@kernel()
def _largest(values: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return at most ``k`` of ``rows``, (r,), with the largest ``values``, (r,), above 0, best first.

    The best so far are kept sorted: one comparison for most rows. Ties go to the row that comes first.
    """
    best_rows = np.empty(k, dtype=np.int64)
    best_values = np.empty(k, dtype=values.dtype)
    n = 0
    least = np.float32(0.0)
    for index in range(len(rows)):
        if values[index] > least:
            n = insert_best(best_rows, best_values, n, rows[index], values[index])
            if n == k:
                least = best_values[k - 1]
    return best_rows[:n]


@kernel()
def insert_best(
    best_rows: NDArray[np.int64], best_values: NDArray[np.floating], n: int, row: int, value: np.floating
) -> int:
    """Put a row where it belongs among the best; return how many those are now. It goes behind its equals.

    Args:
        best_rows: (k,) the first ``n`` count, changed in place; where n is k the last one leaves.
        best_values: (k,) theirs, the largest first.
    """
    slot = n if n < len(best_rows) else len(best_rows) - 1
    while slot > 0 and best_values[slot - 1] < value:
        best_values[slot] = best_values[slot - 1]
        best_rows[slot] = best_rows[slot - 1]
        slot -= 1
    best_values[slot] = value
    best_rows[slot] = row
    return min(n + 1, len(best_rows))


@kernel()
def find_largest(values: NDArray[np.floating], n: int) -> np.floating:
    """Return the ``n``-th largest of some values, (k,), from 1 to k on; they are put in another order.

    Source:
        Hoare. Algorithm 65: find. Communications of the ACM 4, 1961.
    """
    low, high, wanted = 0, len(values) - 1, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        front, back = low, high
        while front <= back:
            while values[front] > pivot:
                front += 1
            while values[back] < pivot:
                back -= 1
            if front <= back:
                values[front], values[back] = values[back], values[front]
                front += 1
                back -= 1
        if wanted <= back:
            high = back
        elif wanted >= front:
            low = front
        else:
            break
    largest: np.floating = values[wanted]
    return largest
