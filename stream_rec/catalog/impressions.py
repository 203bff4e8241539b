"""How often items were shown and chosen from there, by row and slot, and what that says of slots and of items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow, take
from stream_rec.knowledge import examination
from stream_rec.knowledge.examination import PRIOR
from stream_rec.knowledge.slots import N_SLOTS

AGAIN = 1.1
"""Once so many times as many impressions have come, how slots are looked at is estimated anew."""
SAMPLE = 20_000
"""Items from which that is estimated, at most: 20 ms."""
MOST = 2**31 - 1
"""Of one item in one slot: more count as so many."""
NOTHING = [0] * N_SLOTS


class Impressions:
    """Counts by row and slot, and what they come to; 72 bytes an item, from the first impression on."""

    def __init__(self) -> None:
        self._shown = np.zeros((0, N_SLOTS), dtype=np.int32)
        self._chosen = np.zeros((0, N_SLOTS), dtype=np.int32)
        self._appeal = np.zeros(0, dtype=np.float32)
        self._appeal_of = np.zeros(0, dtype=np.int32)
        """By row: the estimate that its appeal comes of; 0: its counts have changed since, or nobody has asked."""
        self._examination = PRIOR
        self._mean = 0.0
        self._n_estimated = 0
        self._n_estimates = 0
        self.n_shown = 0
        """Impressions of single items."""

    def put(self, row: int, shown: Sequence[int], chosen: Sequence[int]) -> None:
        """Replace the counts of one item.

        Args:
            shown: By slot, as ``chosen``; empty where there are none.
        """
        self._shown = grow(self._shown, row + 1)
        self._chosen = grow(self._chosen, row + 1)
        self._appeal = grow(self._appeal, row + 1)
        self._appeal_of = grow(self._appeal_of, row + 1)
        shown = [min(n, MOST) for n in shown] or NOTHING
        chosen = [max(-MOST, min(n, MOST)) for n in chosen] or NOTHING
        self.n_shown += sum(shown) - sum(self._shown[row].tolist())
        self._shown[row] = shown
        self._chosen[row] = chosen
        self._appeal_of[row] = 0

    @property
    def examination(self) -> NDArray[np.float64]:
        """(N_SLOTS,) how likely an item in each slot is looked at, of one in that which is looked at most."""
        self._estimate()
        return self._examination

    def count_shown(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how often some items were shown, (k,)."""
        counts: NDArray[np.int64] = take(self._shown, rows).sum(axis=1, dtype=np.int64)
        return counts

    def appeal(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the logarithm of how much more often each item is chosen than others where it is looked at, (k,).

        It is worked out for rows whose counts have changed since it was: lists ask for the same ones again and again.
        """
        self._estimate()
        known = rows[rows < len(self._appeal)]
        changed = known[self._appeal_of[known] != self._n_estimates]
        if len(changed):
            shown, chosen = self._shown[changed], self._chosen[changed]
            self._appeal[changed] = examination.appeal(shown, chosen, self._examination, self._mean)
            self._appeal_of[changed] = self._n_estimates
        return take(self._appeal, rows)

    def _estimate(self) -> None:
        """Find out anew how slots are looked at, if much has come since the last time."""
        if self.n_shown <= AGAIN * self._n_estimated:
            return
        rows = np.flatnonzero(self._shown.any(axis=1))
        rows = rows[:: -(-len(rows) // SAMPLE)]  # a list waits for it
        shown, chosen = self._shown[rows], self._chosen[rows]
        found = examination.estimate(shown, chosen)
        self._examination = found / found.max()
        self._mean = examination.find_mean(shown, chosen, self._examination)
        self._n_estimated = self.n_shown
        self._n_estimates += 1
