"""Factors: a short vector of each item, near those of items that the same users choose. Text at first, then choices.

    q = base + shift        base = SCALE * signs x / sqrt(DIMENSIONS)

The base is the item's frozen text vector x, projected onto random signs (which keeps angles, roughly), so a new item
begins near items that read alike; an item without a text begins at signs of its own. ``shift`` is how far choices
have taken it since (``catalog/bpr.py``): the sum of every worker's shifts, each worker's counted once, in
any order (a sum CRDT, as the head is).

Source:
    Achlioptas. Database-friendly random projections. JCSS 66, 2003.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.errors import StateVersionError

DIMENSIONS = 64
SCALE = 0.8
"""Length of a vector that no choice has shifted, about."""
POOL = 2000
"""Rows chosen last, to which a choice is compared. Popular ones stand there more than once."""
FARTHEST_PUBLISHED = 10.0
"""How far a published shift of an item can be: ``bpr.FARTHEST``, and some for float16's rounding."""
VERSION = 1
_VERSION_BYTE = bytes([VERSION])
_NO_SHIFTS = np.zeros((0, DIMENSIONS), dtype=np.float16)


class MalformedShift(ValueError):
    """Bytes are no shift of an item."""


class Factors:
    """Factors by row, how much of them is this worker's own doing, and the pool."""

    def __init__(self) -> None:
        self.vectors = np.zeros((0, DIMENSIONS), dtype=np.float32)
        """(>= n, DIMENSIONS) as they are now."""
        self.own = np.zeros((0, DIMENSIONS), dtype=np.float32)
        """(>= n, DIMENSIONS) how far this worker has shifted them."""
        self.pool = np.zeros(POOL, dtype=np.int64)
        """A ring buffer; the first ``n_pool`` count."""
        self.n_choices = 0
        self.changed: dict[int, None] = {}
        """Rows whose ``own`` is not published yet, in the order in which they changed first."""
        self._has_shifted = np.zeros(0, dtype=bool)
        """(>= n,) whether this worker has shifted the item since it was started."""
        self._base = np.zeros((0, DIMENSIONS), dtype=np.float32)
        self._others: dict[str, NDArray[np.float16]] = {}
        """(rows, DIMENSIONS) float16 by worker: its shifts of the items, as it published them last."""

    @property
    def n_pool(self) -> int:
        """Rows in the pool."""
        return min(self.n_choices, POOL)

    @property
    def n_shifted(self) -> tuple[int, int]:
        """How many items this worker has shifted, and how many each other worker, added up."""
        others = sum(int(shifts.any(axis=1).sum()) for shifts in self._others.values())
        return int(self.own.any(axis=1).sum()), others

    def add(self, row: int, item_id: str) -> None:
        """Begin a new item at signs of its own."""
        self.vectors = grow(self.vectors, row + 1)
        self.own = grow(self.own, row + 1)
        self._has_shifted = grow(self._has_shifted, row + 1)
        self._base = grow(self._base, row + 1)
        self._rebase(row, _signs_of(item_id))

    def put_text(self, row: int, vector: NDArray[np.float32]) -> None:
        """Take an item's text vector, (d,) unit: the item begins there instead; what choices taught stays."""
        self._rebase(row, _project(vector))

    def delete_text(self, row: int, item_id: str) -> None:
        """Forget an item's text vector."""
        self._rebase(row, _signs_of(item_id))

    def choose(self, rows: NDArray[np.int64]) -> None:
        """Put what was chosen into the pool."""
        indices = np.arange(self.n_choices, self.n_choices + len(rows)) % POOL
        self.pool[indices] = rows
        self.n_choices += len(rows)

    def mark_shifted(self, rows: NDArray[np.int64]) -> None:
        """Note that this worker has just shifted some items: ``vectors`` and ``own`` are changed already."""
        self._has_shifted[rows] = True
        self.changed.update(dict.fromkeys(rows.tolist()))

    def take(self, worker: str, row: int, shift: NDArray[np.float32]) -> None:
        """Take another worker's shift of an item; a newer one replaces an older one."""
        shifts = self._others[worker] = grow(self._others.get(worker, _NO_SHIFTS), row + 1)
        before = shifts[row].astype(np.float32)
        shifts[row] = shift
        self.vectors[row] += shifts[row] - before

    def restore(self, row: int, shift: NDArray[np.float32]) -> None:
        """Take this worker's own shift of before it was started again; a newer one replaces an older one.

        Nothing is taken once it has shifted the item since: that is what it has just sent.
        """
        if not self._has_shifted[row]:
            self.vectors[row] += shift - self.own[row]
            self.own[row] = shift

    def _rebase(self, row: int, base: NDArray[np.float32]) -> None:
        self.vectors[row] += base - self._base[row]
        self._base[row] = base


def encode(shift: NDArray[np.float32]) -> bytes:
    """Return a record's value on ``head-weights``: version (u8), then DIMENSIONS float16, little-endian."""
    return _VERSION_BYTE + shift.astype("<f2").tobytes()


def decode(data: bytes) -> NDArray[np.float32]:
    """Return the shift of an item, (DIMENSIONS,) float32.

    Raises:
        StateVersionError: a newer program wrote it.
        MalformedShift: it is no shift.
    """
    if data and data[0] > VERSION:
        raise StateVersionError(f"shift has version {data[0]}, this program reads up to {VERSION}: update it")
    if len(data) != 1 + 2 * DIMENSIONS or data[0] != VERSION:
        raise MalformedShift(f"{len(data)} bytes that begin with {data[:1].hex() or 'nothing'}")
    shift = np.frombuffer(data, "<f2", offset=1).astype(np.float32)
    squared = float(shift @ shift)
    if not squared <= FARTHEST_PUBLISHED**2:  # NaN is not
        raise MalformedShift(f"shifted by {squared**0.5:.1f}: not finite, or farther than {FARTHEST_PUBLISHED:g}")
    return shift


def _project(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    projected: NDArray[np.float32] = (SCALE / DIMENSIONS**0.5) * (vector @ _signs(len(vector)))
    return projected


def _signs_of(item_id: str) -> NDArray[np.float32]:
    digest = hashlib.blake2b(item_id.encode(), digest_size=DIMENSIONS // 8).digest()
    signs: NDArray[np.float32] = (SCALE / DIMENSIONS**0.5) * _as_signs(digest)
    return signs


@lru_cache(maxsize=4)
def _signs(n: int) -> NDArray[np.float32]:
    """Return (n, DIMENSIONS) float32 random signs, the same in every process."""
    return _as_signs(hashlib.shake_128(b"stream-rec factors").digest(n * DIMENSIONS // 8)).reshape(n, DIMENSIONS)


def _as_signs(bits: bytes) -> NDArray[np.float32]:
    return np.unpackbits(np.frombuffer(bits, dtype=np.uint8)).astype(np.float32) * 2 - 1
