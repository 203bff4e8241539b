"""Successors: which items users came to after which, the predecessors of all items turned round for looking up.

An item keeps its heaviest successors only. One that is pushed out comes back when its weight changes next and is heavy
enough; the sum over all successors, which shares are taken of, is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.kernel import kernel

SUCCESSORS = 100
"""Heaviest successors kept for one item."""


class Successors:
    """Successors by row, with the summed pair weights."""

    def __init__(self) -> None:
        self.rows = np.zeros((0, SUCCESSORS), dtype=np.int32)
        """(>= n, SUCCESSORS) in no order; the first ``n`` count."""
        self.weights = np.zeros((0, SUCCESSORS), dtype=np.float32)
        self.n = np.zeros(0, dtype=np.int32)
        self.total = np.zeros(0)
        """(>= n,) sum of the weights of all successors, those not kept included."""
        self.total_before = np.zeros(0)
        """(>= n,) sum of the weights of all predecessors: how often users came here from anywhere."""

    def ensure_capacity(self, n_rows: int) -> None:
        """Make room for ``n_rows`` items."""
        self.rows = grow(self.rows, n_rows)
        self.weights = grow(self.weights, n_rows)
        self.n = grow(self.n, n_rows)
        self.total = grow(self.total, n_rows)
        self.total_before = grow(self.total_before, n_rows)

    def put(
        self, successor: int, rows: NDArray[np.int64], weights: NDArray[np.float64], before: NDArray[np.float64]
    ) -> None:
        """Set the weights of the pairs of some items with one successor.

        Args:
            rows: (k,) int64 the items that came before it.
            weights: (k,) float64 the new weights; 0 or less takes the pair away.
            before: (k,) float64 the weights until now.
        """
        _put(self.rows, self.weights, self.n, self.total, self.total_before, successor, rows, weights, before)

    def of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the successors of one item and their weights, the heaviest first."""
        n = self.n[row]
        heaviest = np.lexsort((self.rows[row, :n], -self.weights[row, :n]))
        return self.rows[row, :n][heaviest], self.weights[row, :n][heaviest]


@kernel()
def _put(
    all_rows: NDArray[np.int32],
    all_weights: NDArray[np.float32],
    n: NDArray[np.int32],
    total: NDArray[np.float64],
    total_before: NDArray[np.float64],
    successor: int,
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    before: NDArray[np.float64],
) -> None:
    """Set the weights of the pairs of some items with one successor, in place; arguments as of ``Successors``."""
    for number in range(len(rows)):
        row = rows[number]
        weight = max(weights[number], 0.0)
        change = weight - max(before[number], 0.0)
        total[row] += change
        total_before[successor] += change
        index, lightest = -1, 0
        for k in range(n[row]):
            if all_rows[row, k] == successor:
                index = k
                break
            if all_weights[row, k] < all_weights[row, lightest]:
                lightest = k
        if index >= 0:
            if weight > 0.0:
                all_weights[row, index] = weight
            else:
                n[row] -= 1
                all_rows[row, index] = all_rows[row, n[row]]
                all_weights[row, index] = all_weights[row, n[row]]
        elif weight > 0.0:
            if n[row] < all_rows.shape[1]:
                index = n[row]
                n[row] += 1
            elif all_weights[row, lightest] < weight:
                index = lightest
            if index >= 0:
                all_rows[row, index] = successor
                all_weights[row, index] = weight
