"""The most popular listed items at each half-life, kept up as events come instead of being searched for each list.

Popularity is compared as ``popularity.levels``: an event only raises its own item, so the best are maintained by moving
one item up. Where an item sinks (its knowledge is replaced) or leaves, that half-life is searched anew.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.kernel import kernel

TOP = 64
"""Items kept for each half-life."""


class Trending:
    """Rows by half-life, the most popular first."""

    def __init__(self, half_lives: int) -> None:
        self.rows = np.zeros((half_lives, TOP), dtype=np.int64)
        """(half-lives, TOP) the first ``n`` count."""
        self.n = 0
        self._is_stale = True

    def forget(self) -> None:
        """Forget the rows: anything may have changed."""
        self._is_stale = True

    def move_up(self, row: int, levels: NDArray[np.float64]) -> None:
        """Move a listed item up, whose levels rose, or are its first."""
        if not self._is_stale:
            self.n = _raise(self.rows, self.n, row, levels)

    def of(self, levels: NDArray[np.float64], is_listed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return (half-lives, k) the most popular listed rows at each half-life, the best first.

        Args:
            levels: (>= n, half-lives) -inf where an item has no events.
            is_listed: (n,) bool.
        """
        if self._is_stale:
            self._search(levels, is_listed)
            self._is_stale = False
        return self.rows[:, : self.n]

    def _search(self, levels: NDArray[np.float64], is_listed: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(is_listed & (levels[: len(is_listed), 0] > -np.inf))
        self.n = min(TOP, len(rows))
        for half_life in range(len(self.rows)):
            found = levels[rows, half_life]
            least = np.partition(found, -self.n)[-self.n] if self.n else np.inf
            best = np.flatnonzero(found >= least)  # with all that tie for the last place: the lower rows have it
            best = best[np.argsort(-found[best], kind="stable")][: self.n]
            self.rows[half_life, : self.n] = rows[best]


@kernel()
def _raise(trending: NDArray[np.int64], n: int, row: int, levels: NDArray[np.float64]) -> int:
    """Move ``row`` up to where it belongs at each half-life; return how many are kept now. Ties go to the lower row.

    Args:
        trending: (half-lives, TOP) rows, best first, the first ``n`` of which count; changed in place.
        levels: (>= n, half-lives) by row.
    """
    room = trending.shape[1]
    is_new = n < room
    if is_new:
        for index in range(n):
            if trending[0, index] == row:
                is_new = False
    for h in range(trending.shape[0]):
        index = n
        for held in range(n):
            if trending[h, held] == row:
                index = held
                break
        if index == n:
            if n == room:
                index = n - 1
                last, level = trending[h, index], levels[row, h]
                if level < levels[last, h] or (level == levels[last, h] and row > last):
                    continue
            trending[h, index] = row
        while index > 0:
            above = trending[h, index - 1]
            if levels[above, h] > levels[row, h] or (levels[above, h] == levels[row, h] and above < row):
                break
            trending[h, index] = above
            trending[h, index - 1] = row
            index -= 1
    return n + 1 if is_new else n
