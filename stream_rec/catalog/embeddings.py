"""Item vectors by row, one space for each encoder. Vectors of two encoders are never compared.

While a new encoder or revision embeds the catalog, the old space goes on serving; the new one takes over when it holds
as many items. Until then an item keeps its old vector beside its new one; from then on the old space keeps only what
the new one lacks, so that reading a topic in which the two alternate loses nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.embedding.item_embedding import SpaceVector
from stream_rec.errors import DimensionMismatch


class Space:
    """The vectors of one encoder."""

    def __init__(self, encoder: str, dimensions: int) -> None:
        self.encoder = encoder
        self.vectors = np.zeros((0, dimensions), dtype=np.float16)
        """(>= n, d) as precise as they come, zero where there is none."""
        self.is_present = np.zeros(0, dtype=bool)
        self.n_items = 0

    def present(self) -> NDArray[np.int64]:
        """Return the rows that have a vector, ascending."""
        return np.flatnonzero(self.is_present)

    def has(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return of each row, (k,) bool, whether it has a vector."""
        if not len(self.is_present):
            return np.zeros(len(rows), dtype=bool)
        return (rows < len(self.is_present)) & self.is_present[np.minimum(rows, len(self.is_present) - 1)]

    def put(self, row: int, vector: NDArray[np.float32]) -> None:
        """Set one row.

        Raises:
            DimensionMismatch: the vector's length differs from the space's.
        """
        self.require_length(len(vector))
        self.vectors = grow(self.vectors, row + 1)
        self.is_present = grow(self.is_present, row + 1)
        self.n_items += not self.is_present[row]
        self.vectors[row] = vector
        self.is_present[row] = True

    def require_length(self, dimensions: int) -> None:
        """Raise ``DimensionMismatch`` unless vectors of the space have so many numbers."""
        if dimensions != self.vectors.shape[1]:
            raise DimensionMismatch(
                f"a vector of {self.encoder!r} has {dimensions} numbers, its others have {self.vectors.shape[1]}; "
                "give the changed encoder another revision"
            )

    def delete(self, row: int) -> None:
        """Empty one row."""
        if row < len(self.is_present) and self.is_present[row]:
            self.vectors[row] = 0.0
            self.is_present[row] = False
            self.n_items -= 1


class Embeddings:
    """What one encoder of the setting gave: the space in use, and the one that may follow it or that it followed."""

    def __init__(self) -> None:
        self.active: Space | None = None
        self.incoming: Space | None = None

    def require_length(self, vector: SpaceVector) -> None:
        """Raise ``DimensionMismatch`` where a vector is longer or shorter than its encoder's others."""
        if (space := self._find(vector.encoder)) is not None:
            space.require_length(len(vector.vector))

    def put(self, row: int, vector: SpaceVector) -> bool:
        """Set an item's vector; return whether the space in use is another one now.

        Raises:
            DimensionMismatch: the vector is longer or shorter than its encoder's others.
        """
        space = self._find(vector.encoder)
        if space is None:
            space = self.incoming = Space(vector.encoder, len(vector.vector))
        space.put(row, vector.vector)
        if space is self.active:
            if self.incoming is not None:
                self.incoming.delete(row)
                if not self.incoming.n_items:
                    self.incoming = None
            return False
        return self._take_over()

    def delete(self, row: int) -> bool:
        """Forget an item's vectors; return whether the space in use is another one now."""
        has_fewer = self.find(row) is not None
        for space in (self.active, self.incoming):
            if space is not None:
                space.delete(row)
        return has_fewer and self._take_over()

    def find(self, row: int) -> NDArray[np.float16] | None:
        """Return the item's vector in the space in use, (d,), or None where it has none."""
        space = self.active
        if space is None or row >= len(space.is_present) or not space.is_present[row]:
            return None
        vector: NDArray[np.float16] = space.vectors[row]
        return vector

    def _take_over(self) -> bool:
        """Let the space that is not in use take over if it holds items, and as many; return whether it did."""
        if self.incoming is None or not self.incoming.n_items:
            return False
        if self.active is not None and self.incoming.n_items < self.active.n_items:
            return False
        self.active, self.incoming = self.incoming, _without(self.active, self.incoming)
        return True

    def _find(self, encoder: str) -> Space | None:
        found = (space for space in (self.active, self.incoming) if space is not None and space.encoder == encoder)
        return next(found, None)


def _without(space: Space | None, other: Space) -> Space | None:
    """Return ``space`` less the rows that ``other`` has too, or None where nothing is left."""
    if space is None:
        return None
    n = min(len(space.is_present), len(other.is_present))
    for row in np.flatnonzero(space.is_present[:n] & other.is_present[:n]):
        space.delete(int(row))
    return space if space.n_items else None
