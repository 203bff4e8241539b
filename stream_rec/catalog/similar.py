"""Text neighbours: for each item the items whose vectors are nearest, exact, computed when first asked for.

Vectors change only when their space is whitened anew, so a list once computed only takes in newcomers. One search is
one product of all vectors with one: 0.4 ms at 4,000 items of 384 numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.embeddings import Space

K = 50
"""Neighbours kept for each item."""
MOST_INTRODUCED = 64
"""Items whose vectors change at once; of more, the lists are forgotten: looking through all of them takes longer."""


class SimilarItems:
    """Nearest items by cosine similarity within one space."""

    def __init__(self) -> None:
        self._space: Space | None = None
        self._vectors = np.zeros((0, 0), dtype=np.float32)
        self._rows = np.zeros((0, K), dtype=np.int32)
        self._similarities = np.zeros((0, K), dtype=np.float32)
        self._n = np.full(0, -1, dtype=np.int32)
        """Neighbours of each row; -1 where the list is not computed."""

    def ensure_capacity(self, vectors: NDArray[np.float32]) -> None:
        """Make room for as many items as there are ``vectors``, (>= n, c) unit rows, which are kept where they are."""
        self._vectors = vectors
        self._rows = grow(self._rows, len(vectors))
        self._similarities = grow(self._similarities, len(vectors))
        self._n = grow(self._n, len(vectors), fill=-1)

    @property
    def is_empty(self) -> bool:
        """Whether no item has a vector."""
        return self._space is None

    def of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the nearest rows and their similarities, best first; both empty where the item has no vector."""
        rows, similarities, n = self.lists(np.array([row]))
        return rows[row, : max(n[row], 0)], similarities[row, : max(n[row], 0)]

    def lists(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
        """Return (neighbours, similarities, how many) of all rows, good for ``rows`` until the next change."""
        if self._space is not None:
            unknown = rows[self._n[rows] < 0]
            for row in unknown[self._space.has(unknown)].tolist():
                self._compute(self._space, row)
        return self._rows, self._similarities, self._n

    def reset(self, space: Space | None) -> None:
        """Forget all neighbours: all vectors are others, and ``space`` says which are there."""
        self._space = space
        self._n[:] = -1

    def refresh(self, rows: NDArray[np.int64]) -> None:
        """Refresh what depends on the vectors of ``rows``, (k,), which are new, changed or gone."""
        computed = np.flatnonzero(self._n >= 0)
        if len(rows) > MOST_INTRODUCED:
            self._n[computed] = -1
            return
        self._n[computed[np.isin(self._rows[computed], rows).any(axis=1)]] = -1  # computed again when asked for
        self._n[rows] = -1
        if self._space is not None and len(computed):
            for row in rows[self._space.has(rows)].tolist():
                self._introduce(row, np.flatnonzero(self._n >= 0))

    def _introduce(self, row: int, computed: NDArray[np.int64]) -> None:
        """Put a newcomer into the lists in which it belongs."""
        similarities = self._vectors[computed] @ self._vectors[row]
        worst = np.where(self._n[computed] < K, -2.0, self._similarities[computed, K - 1])
        for holder, similarity in zip(computed[similarities > worst], similarities[similarities > worst]):
            n = int(self._n[holder])
            index = int(np.searchsorted(-self._similarities[holder, :n], -similarity, side="right"))
            kept = min(n, K - 1)
            self._rows[holder, index + 1 : kept + 1] = self._rows[holder, index:kept]
            self._similarities[holder, index + 1 : kept + 1] = self._similarities[holder, index:kept]
            self._rows[holder, index] = row
            self._similarities[holder, index] = similarity
            self._n[holder] = kept + 1

    def _compute(self, space: Space, row: int) -> None:
        similarities = self._vectors[: len(space.is_present)] @ self._vectors[row]
        similarities[~space.is_present[: len(similarities)]] = -2.0
        similarities[row] = -2.0
        n = min(K, space.n_items - 1)
        nearest = np.argpartition(-similarities, n)[:n] if n else np.zeros(0, np.int64)
        nearest = nearest[np.lexsort((nearest, -similarities[nearest]))]
        self._rows[row, :n] = nearest
        self._similarities[row, :n] = similarities[nearest]
        self._n[row] = n
