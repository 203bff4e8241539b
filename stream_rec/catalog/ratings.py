"""How items were rated, by row, and together by category, as exact sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.categories import Categories


class ItemRatings:
    """Counts of ratings, and their sums in thousandths: whole numbers, so that they are the same in whatever order.

    >>> ratings = ItemRatings()
    >>> ratings.put(0, (2, 9_000), [3])
    >>> ratings.put(1, (1, 2_000), [3])
    >>> ratings.total.tolist(), ratings.of(np.array([1, 0])).tolist()
    ([3.0, 11000.0], [[1.0, 2000.0], [2.0, 9000.0]])
    """

    def __init__(self) -> None:
        self.total = np.zeros(2)
        """(2,) of all items: count and sum."""
        self._of_rows = np.zeros((0, 2))
        self._of_categories = np.zeros((0, 2))
        self._categories: dict[int, tuple[int, ...]] = {}
        """By row, of rated items."""

    def __contains__(self, row: int) -> bool:
        """Return whether an item was ever rated."""
        return row in self._categories

    def put(self, row: int, ratings: tuple[int, int], categories: Sequence[int]) -> None:
        """Replace what is known of one item.

        Args:
            ratings: Count and sum.
            categories: Numbers of the item's.
        """
        known = self._categories.get(row, ())
        self._of_rows = grow(self._of_rows, row + 1)
        before, after = self._of_rows[row].copy(), np.array(ratings, dtype=np.float64)
        if known == tuple(categories) and (before == after).all():
            return
        self._of_categories = grow(self._of_categories, max(categories, default=-1) + 1)
        self._of_categories[list(known)] -= before  # each once
        self._of_categories[list(categories)] += after
        self.total += after - before
        self._of_rows[row] = after
        self._categories[row] = tuple(categories)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return count and sum of some items, (..., 2), shaped as ``rows`` besides."""
        if rows.size:
            self._of_rows = grow(self._of_rows, int(rows.max()) + 1)
        found: NDArray[np.float64] = self._of_rows[rows]
        return found

    def of_categories(self, categories: Categories) -> NDArray[np.float64]:
        """Return count and sum of all items of each category, (k, m, 2)."""
        if categories.ids.size:
            self._of_categories = grow(self._of_categories, int(categories.ids.max()) + 1)
        found: NDArray[np.float64] = self._of_categories[categories.ids]
        return found
