"""What items' texts say, by row and space, as lists need it: whitened, so that cosines tell items apart.

Whitening is found anew whenever a space has doubled or another encoder's has taken over; in between newcomers are
whitened as the others were. All of that happens when vectors are asked for, so that a catalog that is being loaded
costs no more than the last time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog import whitening
from stream_rec.catalog.arrays import grow
from stream_rec.catalog.embeddings import Embeddings, Space
from stream_rec.catalog.similar import SimilarItems
from stream_rec.catalog.whitening import COMPONENTS, Whitening
from stream_rec.embedding.item_embedding import MAX_SPACES, ItemEmbedding

LEADING = 32
"""Components of each space by which many items are searched roughly before a few exactly."""


class Spaces:
    """The spaces that are in use, in the order of the setting `embedder.encoder`."""

    def __init__(self) -> None:
        self._embeddings = tuple(Embeddings() for _ in range(MAX_SPACES))
        self.similar = tuple(SimilarItems() for _ in range(MAX_SPACES))
        """Text neighbours, by space."""
        self._vectors = np.zeros((0, MAX_SPACES, COMPONENTS), dtype=np.float32)
        self._leading = np.zeros((0, MAX_SPACES, LEADING), dtype=np.float32)
        self._fitted: list[_Fitted | None] = [None] * MAX_SPACES
        self._pending: set[int] = set()

    @property
    def identities(self) -> tuple[str, ...]:
        """Of the encoders in use."""
        return tuple(each.active.encoder for each in self._embeddings if each.active is not None)

    @property
    def n_items(self) -> int:
        """How many items have a vector in the space that has most."""
        return max((each.active.n_items for each in self._embeddings if each.active is not None), default=0)

    def ensure_capacity(self, n_rows: int) -> None:
        """Make room for ``n_rows`` items."""
        self._vectors = grow(self._vectors, n_rows)
        self._leading = grow(self._leading, n_rows)
        for similar in self.similar:
            similar.ensure_capacity(n_rows)

    def put(self, row: int, embedding: ItemEmbedding) -> None:
        """Set an item's vectors; a space that the embedding does not have loses that of the item.

        Raises:
            DimensionMismatch: a length differs from that of the encoder's other vectors.
        """
        for number, embeddings in enumerate(self._embeddings):
            if number < len(embedding.vectors):
                embeddings.put(row, embedding.vectors[number])
            else:
                embeddings.delete(row)
        self._pending.add(row)

    def delete(self, row: int) -> None:
        """Forget an item's vectors."""
        for embeddings in self._embeddings:
            embeddings.delete(row)
        self._pending.add(row)

    def find(self, row: int) -> NDArray[np.float16] | None:
        """Return the item's vector as its first encoder made it, (d,), or None where it has none there."""
        return self._embeddings[0].find(row)

    def vectors(self) -> NDArray[np.float32]:
        """Return (>= n, spaces, COMPONENTS) float32 of all rows, each of unit length, or zero where there is none."""
        is_outdated = [self._is_outdated(number) for number in range(MAX_SPACES)]
        if self._pending or any(is_outdated):
            for number in range(MAX_SPACES):
                self._update(number, is_outdated=is_outdated[number])
            self._pending.clear()
        return self._vectors

    def leading(self) -> NDArray[np.float32]:
        """Return (>= n, spaces, LEADING) float32 the first components of ``vectors``, side by side in memory."""
        self.vectors()
        return self._leading

    def joined(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of some items, their spaces side by side, (k, spaces * COMPONENTS) unit rows, or zero."""
        joined = self.vectors().take(rows, axis=0).reshape(len(rows), MAX_SPACES * COMPONENTS)
        lengths = np.sqrt(np.einsum("kd,kd->k", joined, joined))[:, None]
        np.divide(joined, lengths, out=joined, where=lengths > 0.0)
        return joined

    def _is_outdated(self, number: int) -> bool:
        space, fitted = self._embeddings[number].active, self._fitted[number]
        if space is None or not space.n_items:
            return fitted is not None
        return fitted is None or fitted.space is not space or space.n_items >= 2 * fitted.n_items

    def _update(self, number: int, *, is_outdated: bool) -> None:
        space, similar = self._embeddings[number].active, self.similar[number]
        vectors, leading = self._vectors[:, number], self._leading[:, number]
        if is_outdated:
            vectors[:] = 0.0
            fitted = self._fitted[number] = _Fitted(space) if space is not None and space.n_items else None
            if fitted is not None:
                rows = fitted.space.present()
                vectors[rows, : fitted.n_components] = whitening.apply(fitted.whitening, fitted.space.vectors[rows])
            leading[:] = vectors[:, :LEADING]
            similar.reset(vectors, space)
        elif (fitted := self._fitted[number]) is not None:
            rows = np.array(sorted(self._pending))
            vectors[rows] = 0.0
            present = rows[fitted.space.has(rows)]
            vectors[present, : fitted.n_components] = whitening.apply(fitted.whitening, fitted.space.vectors[present])
            leading[rows] = vectors[rows, :LEADING]
            similar.refresh(vectors, rows)


class _Fitted:
    """How a space was whitened, and when."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.n_items = space.n_items
        self.whitening: Whitening = whitening.fit(space.vectors[space.present()])
        self.n_components = self.whitening.components.shape[1]
