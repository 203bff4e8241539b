"""In which contexts users come to items: how much more often in one than items do on the whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow, take
from stream_rec.knowledge import fading
from stream_rec.knowledge.contexts import key_of
from stream_rec.knowledge.fading import HALF_LIFE_MS, Fading

SMOOTHING = 2.0
"""Events as many as which speak for no context in particular."""
KEPT = 60
"""Rows that are known to be the most popular of a context; up to twice as many between two cuts."""
CROWDED = 8
"""A context that a larger part of all rows has something of than one in so many is an array by row: it takes less room
than a dictionary then, and is read in a tenth of the time."""
_MOST = 53.0
"""As log2: what would be more, by a time far ahead of now, would be no number."""


class Contexts:
    """How much rows have of each context, and all have together. At most some 80 bytes for each context of an item."""

    def __init__(self) -> None:
        self._rows: dict[int, _Rows] = defaultdict(_Rows)
        self._totals: Counter[int] = Counter()
        """By number, of all items, without fading: as integers they are exact, whatever order items come in."""

    def put(self, row: int, before: Mapping[int, Fading], after: Mapping[int, Fading]) -> None:
        """Replace the contexts of one item."""
        for number, sums in after.items():
            if sums != before.get(number):
                self._rows[number].put(row, fading.level(sums))
                self._totals[number] += sums[0]
                self._totals[number] -= before[number][0] if number in before else 0
        for number in before.keys() - after.keys():
            self._rows[number].remove(row)
            self._totals[number] -= before[number][0]
            if not self._totals[number]:
                del self._totals[number], self._rows[number]

    def is_known(self, number: int) -> bool:
        """Return whether some item has something of a context."""
        return self._totals[number] > 0

    def lift(self, number: int, rows: NDArray[np.int64], now_ms: float) -> NDArray[np.float64]:
        """Return the logarithm of how much more often users come to items in a context than to all items, (k,).

            log((in context + SMOOTHING) / (expected + SMOOTHING))

        Where events say something of that key at all: an item without such events has 0.

        Args:
            number: Of a context that is known.

        Source:
            DuMouchel. Bayesian Data Mining in Large Frequency Tables. The American Statistician 53, 1999 (the
            gamma-Poisson shrinker, with the prior's mean at 1).
        """
        key = key_of(number)
        share = self._totals[number] / max(self._totals[key], 1)
        expected = share * _as_of(self._rows[key].of(rows), now_ms)
        came = _as_of(self._rows[number].of(rows), now_ms)
        lift: NDArray[np.float64] = np.log((came + SMOOTHING) / (expected + SMOOTHING))
        return lift

    def find_popular(self, number: int, is_listed: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
        """Return those of the ``KEPT`` rows that most users come to in a context that are listed, at most ``n``, the
        best first."""
        known = self._rows.get(number)
        best = known.find_best() if known is not None else []
        rows = np.array(best, dtype=np.int64)
        return rows[is_listed[rows]][:n]


class _Rows:
    """How much each row has of one context, as of ``fading.level``: comparable whenever the last event was."""

    def __init__(self) -> None:
        self._some: dict[int, float] = {}
        self._all: NDArray[np.float64] | None = None
        """(>= n,) by row, -inf where there is nothing, in place of ``_some`` once that has grown too large."""
        self._best: dict[int, float] = {}
        """All rows above ``_floor``, and some at it."""
        self._floor = -np.inf

    def put(self, row: int, level: float) -> None:
        if self._all is not None:
            self._all = grow(self._all, row + 1, fill=-np.inf)
            self._all[row] = level
        else:
            self._some[row] = level
            if len(self._some) * CROWDED > max(row, 1000):
                self._lay_out()
        if level > self._floor:
            self._best[row] = level
            if len(self._best) > 2 * KEPT:
                self._keep_best(self._best)
        elif self._best.pop(row, None) is not None:
            self._keep_best(self._items())

    def remove(self, row: int) -> None:
        self._some.pop(row, None)
        if self._all is not None and row < len(self._all):
            self._all[row] = -np.inf
        if self._best.pop(row, None) is not None:
            self._keep_best(self._items())

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the levels of some rows, (k,), -inf where there is nothing."""
        if self._all is None:
            return np.array([self._some.get(row, -np.inf) for row in rows.tolist()], dtype=np.float64)
        return take(self._all, rows, fill=-np.inf)

    def find_best(self) -> list[int]:
        """Return the ``KEPT`` rows with the most, the best first; of two alike the first row."""
        return sorted(self._best, key=lambda row: (-self._best[row], row))[:KEPT]

    def _lay_out(self) -> None:
        rows = np.fromiter(self._some, dtype=np.int64, count=len(self._some))
        self._all = np.full(int(rows.max()) + 1, -np.inf)
        self._all[rows] = np.fromiter(self._some.values(), dtype=np.float64, count=len(rows))
        self._some = {}

    def _items(self) -> dict[int, float]:
        if self._all is None:
            return self._some
        rows = np.flatnonzero(self._all > -np.inf)
        return dict(zip(rows.tolist(), self._all[rows].tolist()))

    def _keep_best(self, levels: Mapping[int, float]) -> None:
        """Keep the best of all rows, ``levels`` of which are given as far as they may be among them."""
        best = sorted(levels.items(), key=lambda pair: (-pair[1], pair[0]))[:KEPT]
        self._floor = best[-1][1] if len(levels) > KEPT else -np.inf
        self._best = dict(best)


def _as_of(levels: NDArray[np.float64], now_ms: float) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = np.exp2(np.minimum(levels - now_ms / HALF_LIFE_MS, _MOST))
    return sums
