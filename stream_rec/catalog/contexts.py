"""In which contexts users come to items: how much more often in one than items do on the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.row_levels import RowLevels
from stream_rec.knowledge.contexts import key_of
from stream_rec.knowledge.fading import Fading

SMOOTHING = 2.0
"""Events as many as which speak for no context in particular."""


class Contexts:
    """Rows by context, how much each has of it, and how much all have."""

    def __init__(self) -> None:
        self._levels = RowLevels()
        self._totals: Counter[int] = Counter()
        """By number, of all items, without fading: as integers they are exact, whatever order items come in."""

    def put(self, row: int, before: Mapping[int, Fading], after: Mapping[int, Fading]) -> None:
        """Replace the contexts of one item."""
        self._levels.put(row, before, after)
        for number, (weight, _, _) in after.items():
            self._totals[number] += weight
        for number, (weight, _, _) in before.items():
            self._totals[number] -= weight
            if not self._totals[number]:
                del self._totals[number]

    def is_known(self, number: int) -> bool:
        """Return whether some item has something of a context."""
        return self._totals[number] > 0

    def lift(self, number: int, rows: NDArray[np.int64], now_ms: float) -> NDArray[np.float64]:
        """Return the logarithm of how much more often users come to items in a context than to all items, (k,).

            log((in context + SMOOTHING) / (expected + SMOOTHING))

        Where events say something of that key at all: an item without such events has 0.

        Source:
            DuMouchel. Bayesian Data Mining in Large Frequency Tables. The American Statistician 53, 1999 (the
            gamma-Poisson shrinker, with the prior's mean at 1).
        """
        key = key_of(number)
        expected = self._levels.of(key, rows, now_ms) * (self._totals[number] / max(self._totals[key], 1))
        came: NDArray[np.float64] = self._levels.of(number, rows, now_ms)
        return np.log((came + SMOOTHING) / (expected + SMOOTHING))

    def find_popular(self, number: int, is_listed: NDArray[np.bool_], now_ms: float, n: int) -> NDArray[np.int64]:
        """Return the listed rows that most users come to in a context, at most ``n``, the best first."""
        rows, counts = self._levels.find(number, now_ms)
        rows, counts = rows[is_listed[rows]], counts[is_listed[rows]]
        return rows[np.lexsort((rows, -counts))[:n]]
