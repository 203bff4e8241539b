"""What items' texts say, by row and space, as lists need it: whitened, so that cosines tell items apart.

Vector number i of a record goes to position i, whatever came before and whoever else writes: a record has a place for
each encoder of the setting, empty where that one failed. Behind ``MAX_SPACES`` of those come the vectors that items
bring themselves, each modality at a position of its own. Each position is taken over by itself (``Embeddings``).

A whitening is found anew when its space has grown to the next of some fixed sizes, each a quarter above the last, or
another encoder's has taken over; in between newcomers are whitened as the others were. So a worker that was started
between two sizes whitens otherwise than one that ran on only until the next. All of it is done when vectors are asked
for, so a catalog that is being loaded is whitened once, as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog import whitening
from stream_rec.catalog.arrays import grow
from stream_rec.catalog.embeddings import Embeddings, Space
from stream_rec.catalog.similar import SimilarItems
from stream_rec.catalog.whitening import COMPONENTS
from stream_rec.embedding.item_embedding import ALL_SPACES, MAX_SPACES, ItemEmbedding, SpaceVector
from stream_rec.kernel import kernel

LEADING = 32
"""Components of each space by which many items are searched roughly before a few exactly."""
AT_ONCE = 8192
"""Rows that are whitened at once: a bound on memory."""


class Spaces:
    """The spaces in use: in the order of the setting `embedder.encoder`, then of `catalog.vectors`.

    There is room for as many as the record with most has places: one until then, and from then on at least as many.
    """

    def __init__(self, modalities: Sequence[str] = ()) -> None:
        """Begin with no vector.

        Args:
            modalities: Names of vectors that items bring themselves, at most ``MAX_MODALITIES``.
        """
        self._modalities = tuple(modalities)
        self._embeddings = [Embeddings()]
        self._fitted: list[_Fitted | None] = [None]
        self._vectors = np.zeros((0, 1, COMPONENTS), dtype=np.float32)
        self._leading = np.zeros((0, 1, LEADING), dtype=np.float32)
        self._similar = [SimilarItems()]
        self._pending: set[int] = set()

    @property
    def identities(self) -> tuple[str, ...]:
        """Of the encoders in use, of which there are vectors, and of modalities as ``name/numbers``."""
        return tuple(space.encoder for space in self._in_use() if space is not None)

    @property
    def n_items(self) -> int:
        """How many items have a vector in the space that has most."""
        return max((space.n_items for space in self._in_use() if space is not None), default=0)

    def ensure_capacity(self, n_rows: int) -> None:
        """Make room for ``n_rows`` items."""
        if n_rows > len(self._vectors):
            self._vectors = grow(self._vectors, n_rows)
            self._leading = grow(self._leading, n_rows)
            self._share_vectors()

    def put(self, row: int, embedding: ItemEmbedding) -> bool:
        """Set an item's vectors; a position where the embedding has none loses its own.

        Returns:
            Whether the space in use at the first position is another one now.

        Raises:
            DimensionMismatch: a length differs from that of the encoder's other vectors; nothing is changed.
        """
        for embeddings, vector in zip(self._embeddings, embedding.vectors):
            if vector is not None:
                embeddings.require_length(vector)
        return self._set(row, range(MAX_SPACES), embedding.vectors)

    def delete(self, row: int) -> bool:
        """Forget what encoders made of an item's text; return what ``put`` does."""
        return self._set(row, range(MAX_SPACES), ())

    def put_own(self, row: int, vectors: Mapping[str, Sequence[float]]) -> None:
        """Set the vectors that an item brings itself, by modality; those that are not declared are left out.

        Args:
            vectors: Of any length, which is part of what they are compared by: others belong to another space, which
                takes over when it has as many.
        """
        own = [_normalize(name, vectors[name]) if name in vectors else None for name in self._modalities]
        while own and own[-1] is None:
            own.pop()
        if own or len(self._embeddings) > MAX_SPACES:
            self._set(row, range(MAX_SPACES, ALL_SPACES), own)

    def modality(self, position: int) -> str | None:
        """Return what the vectors at a position are of; None of a text."""
        return self._modalities[position - MAX_SPACES] if position >= MAX_SPACES else None

    def find(self, row: int) -> NDArray[np.float16] | None:
        """Return the item's vector as the first encoder made it, (d,), or None where it has none."""
        return self._embeddings[0].find(row)

    def vectors(self) -> NDArray[np.float32]:
        """Return (>= n, spaces, COMPONENTS) float32 of all rows, each of unit length, or zero where there is none."""
        self._update()
        return self._vectors

    def leading(self) -> NDArray[np.float32]:
        """Return (>= n, spaces, LEADING) float32 the first components of ``vectors``, side by side in memory."""
        self._update()
        return self._leading

    def similar(self) -> tuple[SimilarItems, ...]:
        """Return the text neighbours in each space."""
        self._update()
        return tuple(self._similar)

    def joined(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of some items, their spaces side by side, (k, spaces * COMPONENTS) unit rows, or zero."""
        return _join(rows, self.vectors())

    def whiten_query(self, vectors: tuple[SpaceVector | None, ...]) -> NDArray[np.float32]:
        """Return a query's vectors, (spaces, COMPONENTS), whitened as those of items; zero where they do not compare.

        Args:
            vectors: By position, as of ``ItemEmbedding``.
        """
        self._update()
        whitened = np.zeros(self._vectors.shape[1:], dtype=np.float32)
        for number, (fitted, vector) in enumerate(zip(self._fitted, vectors)):
            if fitted is None or vector is None or vector.encoder != fitted.space.encoder:
                continue
            if len(vector.vector) == len(fitted.whitening.mean):  # what a record says of its encoder may be wrong
                one = whitening.apply(fitted.whitening, vector.vector[None, :])[0]
                whitened[number, : len(one)] = one
        return whitened

    def _set(self, row: int, positions: range, vectors: Sequence[SpaceVector | None]) -> bool:
        """Set an item's vectors at some positions; return whether the space in use at the first of all has changed.

        Args:
            positions: Of which those without a vector are emptied.
            vectors: At the first of them.
        """
        self._pending.add(row)
        while vectors and len(self._embeddings) < positions.start + len(vectors):
            self._add_space()
        is_first_another = False
        for number, vector in zip_longest(positions[: len(self._embeddings) - positions.start], vectors):
            embeddings = self._embeddings[number]
            has_changed = embeddings.delete(row) if vector is None else embeddings.put(row, vector)
            if has_changed and (fitted := self._fitted[number]) is not None:
                fitted.is_outdated = True  # also if the space from before comes back, with fewer items than it had
            is_first_another |= has_changed and number == 0
        return is_first_another

    def _add_space(self) -> None:
        self._embeddings.append(Embeddings())
        self._fitted.append(None)
        one_more = (0, 0), (0, 1), (0, 0)
        self._vectors, self._leading = np.pad(self._vectors, one_more), np.pad(self._leading, one_more)
        self._similar.append(SimilarItems())
        self._share_vectors()

    def _share_vectors(self) -> None:
        for number, similar in enumerate(self._similar):
            similar.ensure_capacity(self._vectors[:, number])

    def _in_use(self) -> list[Space | None]:
        """Return the space at each position, None where it has no vector."""
        spaces = (embeddings.active for embeddings in self._embeddings)
        return [space if space is not None and space.n_items else None for space in spaces]

    def _update(self) -> None:
        """Bring up to date what depends on vectors that have come, changed or gone."""
        if not self._pending:
            return
        pending = np.array(sorted(self._pending), dtype=np.int64)
        for number, space in enumerate(self._in_use()):
            fitted, similar = self._fitted[number], self._similar[number]
            if fitted is not None and fitted.is_good_for(space):
                self._whiten(number, pending)
                similar.refresh(pending)
            elif fitted is not None or space is not None:
                self._fitted[number] = None if space is None else _Fitted(space)
                self._whiten(number, np.arange(len(self._vectors)))
                similar.reset(space)
        self._pending.clear()

    def _whiten(self, number: int, rows: NDArray[np.int64]) -> None:
        """Set the vectors of ``rows`` in one space."""
        self._vectors[rows, number] = 0.0
        if (fitted := self._fitted[number]) is not None:
            present = rows[fitted.space.has(rows)]
            for start in range(0, len(present), AT_ONCE):
                some = present[start : start + AT_ONCE]
                whitened = whitening.apply(fitted.whitening, fitted.space.vectors[some])
                self._vectors[some, number, : whitened.shape[1]] = whitened
        self._leading[rows, number] = self._vectors[rows, number, :LEADING]


def _normalize(name: str, vector: Sequence[float]) -> SpaceVector:
    """Return what an item brings as a unit vector of a space of its own."""
    numbers = np.array(vector, dtype=np.float64)
    return SpaceVector(f"{name}/{len(numbers)}", (numbers / np.linalg.norm(numbers)).astype(np.float32))


@kernel(fastmath=True)
def _join(rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors of ``rows``, (k,), side by side and of unit length together, (k, spaces * c), or zero.

    Args:
        vectors: (>= n, spaces, c) by row.
    """
    by_row = vectors.reshape(len(vectors), -1)
    joined = np.empty((len(rows), by_row.shape[1]), dtype=np.float32)
    for k in range(len(rows)):
        row = rows[k]
        squares = np.float32(0.0)
        for d in range(by_row.shape[1]):
            squares += by_row[row, d] * by_row[row, d]
        scale = np.float32(1.0) / np.sqrt(squares) if squares > 0.0 else np.float32(0.0)
        for d in range(by_row.shape[1]):
            joined[k, d] = scale * by_row[row, d]
    return joined


class _Fitted:
    """How a space is whitened, and of how many items that was found."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.whitening = whitening.fit(space.vectors[space.present()])
        self.is_outdated = False
        self._next_size = _next_size(space.n_items)

    def is_good_for(self, space: Space | None) -> bool:
        """Return whether ``space`` can be whitened so."""
        return space is self.space and space.n_items < self._next_size and not self.is_outdated


def _next_size(n_items: int) -> int:
    """Return the number of items, above ``n_items``, at which each worker finds a whitening anew: 1, 2, 3, 4, 5, 7 ...

    At fixed sizes, and not a quarter above where it was found last, so that all find it among the same items. Of the
    20 nearest texts 87 to 93 % are the same if it was found among the first 80 % of the items instead of all (75 %: 84
    to 92, 50 %: 76 to 89; three logs, `e5-small` and `hashing`).
    """
    size = 1
    while size <= n_items:
        size = math.ceil(1.25 * size)
    return size
