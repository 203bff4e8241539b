"""Repeat rates of categories: how often what users came to there was an item that they had before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.kernel import kernel

PRIOR = 20.0
"""Events that a category's rate is drawn towards that of all items with."""


class CategoryRepeats:
    """Events and repeats by category, -1 for items without one. An item is in one category, its newest.

    >>> repeats = CategoryRepeats()
    >>> repeats.put(0, 4, n_events=100, n_repeats=50)
    >>> repeats.put(1, -1, n_events=100, n_repeats=0)
    >>> repeats.rates(np.array([4, -1])).round(3).tolist()
    [0.458, 0.0]
    """

    def __init__(self) -> None:
        self._counts = np.zeros((1, 2))
        """(>= categories + 1, 2) events and repeats, of those without a category first."""
        self._total = np.zeros(2)
        self._of_rows = np.zeros((0, 3), dtype=np.int64)
        """(>= n, 3) the place in ``_counts``, events and repeats of each item."""

    def put(self, row: int, category: int, *, n_events: int, n_repeats: int) -> None:
        """Replace what is known of one item."""
        self._of_rows = grow(self._of_rows, row + 1)
        place, *before = self._of_rows[row].tolist()
        if (place, *before) == (category + 1, n_events, n_repeats):
            return
        self._counts = grow(self._counts, category + 2)
        self._counts[place] -= before
        self._counts[category + 1] += (n_events, n_repeats)
        self._total += (n_events - before[0], n_repeats - before[1])
        self._of_rows[row] = category + 1, n_events, n_repeats

    def rates(self, categories: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the repeat rate of each category, (k,): of one without events that of all items, of none 0."""
        return _compute_rates(self._counts, self._total[1] / max(self._total[0], 1.0), categories)


@kernel()
def _compute_rates(counts: NDArray[np.float64], overall: float, categories: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the rates, (k,), by ``CategoryRepeats._counts`` and the rate of all items."""
    rates = np.zeros(len(categories))
    for k in range(len(categories)):
        place = categories[k] + 1
        if 0 < place < len(counts):
            rates[k] = (counts[place, 1] + PRIOR * overall) / (counts[place, 0] + PRIOR)
        elif place > 0:
            rates[k] = overall
    return rates
