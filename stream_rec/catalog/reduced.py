"""Vectors reduced to their first principal components, for searching many items roughly before a few exactly.

The components are found anew whenever the catalog has doubled; until there are enough vectors there is no reduction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.embeddings import Space

COMPONENTS = 64


class Reduced:
    """Reduced vectors by row, brought up to date when asked for."""

    def __init__(self) -> None:
        self._space: Space | None = None
        self._components = np.zeros((0, 0), dtype=np.float32)
        self._vectors = np.zeros((0, 0), dtype=np.float32)
        self._fitted_on = 0
        self._pending: set[int] = set()

    def refresh(self, row: int) -> None:
        """Refresh what depends on the vector of ``row``, which is new, changed or gone."""
        self._pending.add(row)

    def of(self, space: Space | None, n_rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the reduced vectors of all rows, (>= n_rows, c), and the components that reduce others, (d, c)."""
        if space is None or not space.n_items:  # all vectors may have been deleted
            dimensions = 0 if space is None else space.vectors.shape[1]
            return np.zeros((n_rows, 1), dtype=np.float32), np.zeros((dimensions, 1), dtype=np.float32)
        if space is not self._space or space.n_items >= 2 * self._fitted_on:
            self._fit(space)
        elif self._pending:
            rows = np.array(sorted(self._pending))
            rows = rows[rows < len(space.vectors)]
            self._vectors = grow(self._vectors, len(space.vectors))
            self._vectors[rows] = space.vectors[rows] @ self._components
        self._pending.clear()
        self._vectors = grow(self._vectors, n_rows)
        return self._vectors, self._components

    def _fit(self, space: Space) -> None:
        vectors = space.vectors[: len(space.is_present)][space.is_present[: len(space.vectors)]]
        second_moments = vectors.T.astype(np.float64) @ vectors
        _, components = np.linalg.eigh(second_moments)
        self._components = np.ascontiguousarray(components[:, ::-1][:, :COMPONENTS], dtype=np.float32)
        self._vectors = space.vectors @ self._components
        self._space, self._fitted_on = space, space.n_items
