"""What the item stage knows, by row: counts, popularity, and who follows whom, turned round for looking up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream_rec.catalog.arrays import grown
from stream_rec.knowledge import popularity
from stream_rec.knowledge.state import ItemState

FOLLOWERS = 100
"""Heaviest followers that one item proposes."""


class Knowledge:
    """Item knowledge as arrays and adjacency."""

    def __init__(self) -> None:
        self.counts = np.zeros((0, 3), dtype=np.int64)
        """(>= n, kinds) interactions ever."""
        self.levels = np.full((0, len(popularity.HALF_LIVES_MS)), -np.inf)
        """(>= n, half-lives) see ``popularity.levels``."""
        self.newest_ms = 0
        """Event time of the newest event that any item has seen."""
        self._predecessors: dict[int, dict[str, int]] = {}
        self._followers: dict[int, dict[int, int]] = {}
        self._follower_arrays: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._trending: dict[tuple[int, int], np.ndarray] = {}

    def reserve(self, n_rows: int) -> None:
        """Make room for ``n_rows`` items."""
        self.counts = grown(self.counts, n_rows)
        self.levels = grown(self.levels, n_rows, fill=-np.inf)

    def put(self, row: int, state: ItemState, row_of: Callable[[str], int]) -> None:
        """Replace what is known of one item.

        Args:
            row_of: Row of an item id, made where there is none yet.
        """
        self.counts[row] = state.counts
        if state.last_ms is None:
            self.levels[row] = -np.inf
        else:
            self.levels[row] = popularity.levels(state.sums, state.last_ms)
            self.newest_ms = max(self.newest_ms, state.last_ms)
        self._trending.clear()
        before = self._predecessors.get(row, {})
        for item_id in before:
            if item_id not in state.predecessors:
                self._set_follower(row_of(item_id), row, 0)
        for item_id, weight in state.predecessors.items():  # in this order, not a set's: it may make rows
            if weight != before.get(item_id):
                self._set_follower(row_of(item_id), row, weight)
        self._predecessors[row] = state.predecessors

    def _set_follower(self, row: int, follower: int, weight: int) -> None:
        weights = self._followers.setdefault(row, {})
        if weight > 0:
            weights[follower] = weight
        else:
            weights.pop(follower, None)
        self._follower_arrays.pop(row, None)

    def followers(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that users came to after ``row`` and their weights, the heaviest first."""
        arrays = self._follower_arrays.get(row)
        if arrays is None:
            weights = self._followers.get(row, {})
            rows = np.fromiter(weights.keys(), dtype=np.int32, count=len(weights))
            values = np.fromiter(weights.values(), dtype=np.float64, count=len(weights))
            if len(rows) > FOLLOWERS:
                kept = np.argpartition(-values, FOLLOWERS)[:FOLLOWERS]
                rows, values = rows[kept], values[kept]
            heaviest = np.lexsort((rows, -values))
            arrays = self._follower_arrays[row] = rows[heaviest], values[heaviest]
        return arrays

    def relisted(self) -> None:
        """Take notice that other items are listed than before."""
        self._trending.clear()

    def trending(self, half_life: int, is_listed: np.ndarray, k: int) -> np.ndarray:
        """Return the ``k`` listed rows most popular at ``popularity.HALF_LIVES_MS[half_life]``, the best first.

        Args:
            is_listed: (n,) bool by row: what is sold out must not crowd out the rest.
        """
        rows = self._trending.get((half_life, k))
        if rows is None:
            levels = np.where(is_listed, self.levels[: len(is_listed), half_life], -np.inf)
            n = min(k, int(np.count_nonzero(levels > -np.inf)))
            best = np.argpartition(-levels, n - 1)[:n] if n else np.zeros(0, dtype=np.int64)
            rows = self._trending[half_life, k] = best[np.lexsort((best, -levels[best]))]
        return rows
