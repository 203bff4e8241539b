"""Exposures: how often items were in this process's lists. What exploration judges items by, besides their events.

A statistic, not bookkeeping: every worker counts its own lists, and a restart begins anew from what the events say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow


class Exposures:
    """Lists by row."""

    def __init__(self) -> None:
        self._counts = np.zeros(0, dtype=np.int64)
        self.n_lists = 0

    def add(self, rows: NDArray[np.int64]) -> None:
        """Count one list.

        Args:
            rows: Of its items, each once.
        """
        self.n_lists += 1
        if len(rows):
            self._counts = grow(self._counts, int(rows.max()) + 1)
            self._counts[rows] += 1

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the counts of some items."""
        counts = np.zeros(len(rows), dtype=np.int64)
        known = rows < len(self._counts)
        counts[known] = self._counts[rows[known]]
        return counts
