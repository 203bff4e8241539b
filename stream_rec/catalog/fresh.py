"""Fresh items: listed, and with fewer than five events. Those without any are what only text can find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS

EVENTS = 5
"""Items with fewer events are fresh."""
POOL = 8192
"""Most rows of a pool that one list looks through, those that came last: a bound on what a list costs."""

RISING = 20
"""Items with few events that are most popular at each of two half-lives."""
HALF_LIVES = HALF_LIVES_MS.index(24 * HOUR_MS), HALF_LIVES_MS.index(7 * 24 * HOUR_MS)


class Pool:
    """Some of the catalog's rows, in the order in which they came."""

    def __init__(self) -> None:
        self.is_in = np.zeros(0, dtype=bool)
        """(>= n,) by row."""
        self._rows: dict[int, None] = {}
        self._array: NDArray[np.int64] | None = None
        """All of ``_rows``; None where some have come since it was made."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._rows)

    def __contains__(self, row: int) -> bool:
        return row in self._rows

    def ensure_capacity(self, n_rows: int) -> None:
        """Make room for ``n_rows`` items."""
        self.is_in = grow(self.is_in, n_rows)

    def set(self, row: int, is_in: bool) -> None:
        """Set whether a row is here."""
        if is_in == (row in self._rows):
            return
        self.is_in[row] = is_in
        if is_in:
            self._rows[row] = None
            self._array = None
        else:
            del self._rows[row]
            if self._array is not None:  # a tenth of the time of making it anew
                self._array = self._array[self._array != row]

    def set_all(self, rows: NDArray[np.int64], is_in: NDArray[np.bool_]) -> None:
        """Set of each of some rows, (k,), whether it is here, (k,)."""
        has_changed = is_in != self.is_in[rows]
        self.is_in[rows] = is_in
        self._rows.update(dict.fromkeys(rows[has_changed & is_in].tolist()))
        for row in rows[has_changed & ~is_in].tolist():
            del self._rows[row]
        if has_changed.any():
            self._array = None

    def rows(self) -> NDArray[np.int64]:
        """Return (p,) int64 rows, at most ``POOL``, the last of them."""
        if self._array is None:
            self._array = np.fromiter(self._rows, dtype=np.int64, count=len(self._rows))
        return self._array[-POOL:]


class Fresh:
    """The fresh items, by whether anybody has come to them."""

    def __init__(self) -> None:
        self.unseen = Pool()
        self.seen = Pool()
        self._rising: NDArray[np.int64] | None = None
        """What ``rising`` gave last; None where an item with few events has changed since."""

    def __len__(self) -> int:
        """Return how many items are fresh."""
        return len(self.unseen) + len(self.seen)

    def __contains__(self, row: int) -> bool:
        return row in self.unseen or row in self.seen

    def ensure_capacity(self, n_rows: int) -> None:
        """Make room for ``n_rows`` items."""
        self.unseen.ensure_capacity(n_rows)
        self.seen.ensure_capacity(n_rows)

    def set(self, row: int, *, is_listed: bool, n_events: int) -> None:
        """Set what decides whether an item is fresh: after each change of what is known of it."""
        has_few_events = is_listed and 0 < n_events < EVENTS
        if has_few_events or row in self.seen:
            self._rising = None
        self.unseen.set(row, is_listed and n_events == 0)
        self.seen.set(row, has_few_events)

    def set_all(self, rows: NDArray[np.int64], is_listed: NDArray[np.bool_], n_events: NDArray[np.int64]) -> None:
        """Set the same of some items, (k,) each: as ``set`` does of one after the other, in less time."""
        has_few_events = is_listed & (n_events > 0) & (n_events < EVENTS)
        if has_few_events.any() or self.seen.is_in[rows].any():
            self._rising = None
        self.unseen.set_all(rows, is_listed & (n_events == 0))
        self.seen.set_all(rows, has_few_events)

    def rising(self, levels: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the rows that are most popular among those with few events, at one half-life after the other.

        Args:
            levels: (>= n, half-lives) as of ``Knowledge``.
        """
        if self._rising is None:
            pool = self.seen.rows()
            found = levels[pool]
            best = [pool[_best(found[:, half_life], RISING)] for half_life in HALF_LIVES]
            self._rising = np.concatenate(best)
        return self._rising


def _best(levels: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Return the indices of the ``k`` highest of ``levels``, (p,), above -inf, the highest first.

    Of equals those that come first.
    """
    least = np.partition(levels, -k)[-k] if len(levels) > k else -np.inf
    candidates = np.flatnonzero((levels >= least) & (levels > -np.inf))
    order: NDArray[np.int64] = candidates[np.argsort(-levels[candidates], kind="stable")][:k]
    return order
