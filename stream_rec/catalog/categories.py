"""Categories by row: what a list's mix is compared with the user's by. An item's category and its first tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.events.item import Item

MOST = 6
"""Categories of one item that count."""


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories of some items: m at most for each. The arrays run parallel."""

    ids: NDArray[np.int64]
    """(k, m) int, from 0 to below the number of categories."""
    weights: NDArray[np.float64]
    """(k, m) a row sums to 1, or is all 0 for an item without categories; 0 where ``ids`` is only padded."""


class CategoryIndex:
    """Category numbers and weights by row."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        self._ids = np.zeros((0, MOST), dtype=np.int64)
        self._weights = np.zeros((0, MOST))
        self._first = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of categories."""
        return len(self._number_of)

    def put(self, row: int, item: Item) -> None:
        """Take an item's categories."""
        self._ensure_capacity(row + 1)
        names = list(dict.fromkeys(filter(None, [item.category, *item.tags])))[:MOST]
        self._ids[row] = 0
        self._weights[row] = 0.0
        self._ids[row, : len(names)] = [self._number_of.setdefault(name, len(self._number_of)) for name in names]
        self._weights[row, : len(names)] = 1.0 / max(1, len(names))
        self._first[row] = self._ids[row, 0] if names else -1

    def of(self, rows: NDArray[np.int64]) -> Categories:
        """Return the categories of some items."""
        if len(rows):
            self._ensure_capacity(int(rows.max()) + 1)
        return Categories(self._ids.take(rows, axis=0), self._weights.take(rows, axis=0))

    def first_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (k,) the category of each item, its first tag where it has none, and -1 where it has neither."""
        if len(rows):
            self._ensure_capacity(int(rows.max()) + 1)
        return self._first.take(rows)

    def list_of(self, row: int) -> list[int]:
        """Return the categories of one item, each once."""
        of_item = self.of(np.array([row]))
        categories: list[int] = of_item.ids[of_item.weights > 0].tolist()
        return categories

    def mix(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much of each category some items have together, (c,)."""
        categories = self.of(rows)
        mix = np.bincount(categories.ids.ravel(), categories.weights.ravel(), minlength=len(self))
        return np.asarray(mix, dtype=np.float64)  # which it is

    def _ensure_capacity(self, n_rows: int) -> None:
        if n_rows > len(self._first):
            self._ids = grow(self._ids, n_rows)
            self._weights = grow(self._weights, n_rows)
            self._first = grow(self._first, n_rows, fill=-1)
