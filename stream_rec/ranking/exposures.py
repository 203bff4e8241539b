"""Exposures: how often items were in this process's lists.

Where apps say what they have shown, that is known exactly (``catalog/impressions.py``). Elsewhere exploration judges
items by this, besides their events. A statistic, not bookkeeping: every worker counts its own, and a restart begins
anew from what the events say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow, take

HALF_LIFE_LISTS = 200
"""Lists after which one counts half in the share of the latest."""
LARGEST_UNIT = 1e200


class Exposures:
    """Lists by row."""

    def __init__(self) -> None:
        self._counts = np.zeros(0, dtype=np.int64)
        self._latest = np.zeros(0)
        """Fading counts, in units that grow as they fade."""
        self._unit = 1.0
        self._n_latest = 0.0
        self.n_lists = 0

    def add(self, rows: NDArray[np.int64]) -> None:
        """Count one list.

        Args:
            rows: Of its items, each once.
        """
        self.n_lists += 1
        if len(rows):
            self._counts = grow(self._counts, int(rows.max()) + 1)
            self._latest = grow(self._latest, int(rows.max()) + 1)
            self._counts[rows] += 1
            self._unit *= 2.0 ** (1 / HALF_LIFE_LISTS)
            self._latest[rows] += self._unit
            self._n_latest += self._unit * len(rows)
            if self._unit > LARGEST_UNIT:
                self._latest /= self._unit
                self._n_latest /= self._unit
                self._unit = 1.0

    def share(self, rows: NDArray[np.int64]) -> float:
        """Return the share of the latest lists' slots that some items had; 0 before the first list.

        Args:
            rows: (k,) each once.
        """
        return float(self._latest[rows[rows < len(self._latest)]].sum() / self._n_latest) if self._n_latest else 0.0

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the counts of some items."""
        return take(self._counts, rows)


def coverage(shown: NDArray[np.int64]) -> float | None:
    """Return the share of items shown at least once; None of no items.

    Example:
        >>> coverage(np.array([4, 0, 1, 0]))
        0.5
    """
    return float(np.count_nonzero(shown) / len(shown)) if len(shown) else None


def gini(shown: NDArray[np.int64]) -> float | None:
    """Return how unequally exposure is spread: 0 where all items are shown equally often, (n - 1) / n for one only.

    G = sum of (2 i - n - 1) x_i / (n sum of x), x ascending, i counted from 1. None where nothing was shown.

    Example:
        >>> gini(np.array([5, 5, 5, 5])), gini(np.array([0, 0, 0, 20]))
        (0.0, 0.75)
    """
    total, n = shown.sum(), len(shown)
    if not total:
        return None
    return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(shown)).sum() / (n * total))
