"""Scratch: one number for each source and item, added up for one list and cleared again in time of what was touched.

Sources add to their columns; the best of each column become candidates; ``ranking/features.py`` then reads all columns
of all candidates, so that a candidate of one source has the other sources' scores too.
"""

from __future__ import annotations

import numba
import numpy as np

LAST, RECENT, WIDE, STAN, AFTER, TEXT = range(6)
"""Columns: successors of the last item, of recent items, of more items; two kinds of session kNN; text neighbours."""
COLUMNS = 6


class Scratch:
    """Workspace of one process, as large as the catalog."""

    def __init__(self) -> None:
        self.values = np.zeros((0, COLUMNS), dtype=np.float32)
        """(>= n, columns) zero outside of the making of a list."""
        self.is_touched = np.zeros(0, dtype=bool)
        self.touched = np.zeros(0, dtype=np.int64)
        """Rows with any value, in the order in which they were touched; the first ``n_touched`` count."""
        self.n_touched = 0
        self.sources = np.zeros(0, dtype=np.int64)
        """(>= n,) bits of the sources that proposed an item."""
        self.chosen = np.zeros(0, dtype=np.int64)
        """Rows that some source proposed; the first ``n_chosen`` count."""
        self.n_chosen = 0

    def begin(self, n_rows: int) -> None:
        """Clear what the last list left, and make room for ``n_rows`` items."""
        _clear(self.values, self.is_touched, self.touched, self.n_touched, self.sources, self.chosen, self.n_chosen)
        self.n_touched = self.n_chosen = 0
        if n_rows > len(self.is_touched):
            room = max(n_rows, 2 * len(self.is_touched), 1024)
            self.values = np.zeros((room, COLUMNS), dtype=np.float32)
            self.is_touched = np.zeros(room, dtype=bool)
            self.touched = np.zeros(room, dtype=np.int64)
            self.sources = np.zeros(room, dtype=np.int64)
            self.chosen = np.zeros(room, dtype=np.int64)

    def choose_best(self, best: tuple[tuple[int, int, int], ...], is_listed: np.ndarray) -> None:
        """Propose listed rows with the largest values.

        Args:
            best: (column, how many, source) each.
        """
        self.n_chosen = _choose_best(
            self.values,
            self.touched,
            self.n_touched,
            best,
            is_listed,
            self.sources,
            self.chosen,
            self.n_chosen,
        )

    def choose(self, rows: np.ndarray, source: int, is_listed: np.ndarray) -> None:
        """Propose those of ``rows`` that are listed."""
        self.n_chosen = _choose(rows, 1 << source, is_listed, self.sources, self.chosen, self.n_chosen)


@numba.njit(cache=True)
def _clear(values, is_touched, touched, n_touched, sources, chosen, n_chosen):
    for at in range(n_touched):
        row = touched[at]
        is_touched[row] = False
        for column in range(values.shape[1]):
            values[row, column] = 0.0
    for at in range(n_chosen):
        sources[chosen[at]] = 0


@numba.njit(cache=True)
def _choose(rows, bit, is_listed, sources, chosen, n_chosen):
    for row in rows:
        if is_listed[row]:
            if sources[row] == 0:
                chosen[n_chosen] = row
                n_chosen += 1
            sources[row] |= bit
    return n_chosen


@numba.njit(cache=True)
def _choose_best(values, touched, n_touched, best, is_listed, sources, chosen, n_chosen):
    for column, k, source in best:
        rows = _largest(values[:, column], touched, n_touched, k, is_listed)
        n_chosen = _choose(rows, 1 << source, is_listed, sources, chosen, n_chosen)
    return n_chosen


@numba.njit(cache=True)
def _largest(values, touched, n_touched, k, is_listed):
    """The best so far are kept sorted: one comparison for most rows. Ties go to the row touched first."""
    best_rows = np.empty(k, dtype=np.int64)
    best_values = np.empty(k, dtype=values.dtype)
    n = 0
    for at in range(n_touched):
        row = touched[at]
        value = values[row]
        if value <= 0.0 or not is_listed[row] or (n == k and value <= best_values[n - 1]):
            continue
        place = n if n < k else k - 1
        while place > 0 and best_values[place - 1] < value:
            best_values[place] = best_values[place - 1]
            best_rows[place] = best_rows[place - 1]
            place -= 1
        best_values[place] = value
        best_rows[place] = row
        n = min(n + 1, k)
    return best_rows[:n]
