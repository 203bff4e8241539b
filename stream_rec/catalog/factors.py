"""Factors: a short vector of each item, near those of items that the same users choose. Text at first, then choices.

    q = base + moved        base = SCALE * signs x / sqrt(DIMENSIONS)

The base is the item's frozen text vector x, projected onto random signs (which keeps angles, roughly), so a new item
begins near items that read alike; an item without a text begins at signs of its own. ``moved`` is how far choices
have taken it since (``ranking/bpr.py``): the sum of what every worker's users moved, each worker's counted once, in
any order (a sum CRDT, as the head is).

Source:
    Achlioptas. Database-friendly random projections. JCSS 66, 2003.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from stream_rec.catalog.arrays import grown
from stream_rec.errors import StateVersionError

DIMENSIONS = 64
SCALE = 0.8
"""Length of a vector that no choice has moved, about."""
POOL = 2000
"""Rows chosen last, to which a choice is compared. Popular ones stand there more than once."""
FARTHEST_TOLD = 10.0
"""How far a worker can say that its users moved an item: ``bpr.FARTHEST``, and some for float16's rounding."""
VERSION = 1
_VERSION_BYTE = bytes([VERSION])
_NO_WORDS = np.zeros((0, DIMENSIONS), dtype=np.float16)


class MalformedMove(ValueError):
    """Bytes do not say how far an item was moved."""


class Factors:
    """Factors by row, how much of them is this worker's own doing, and the pool."""

    def __init__(self) -> None:
        self.vectors = np.zeros((0, DIMENSIONS), dtype=np.float32)
        """(>= n, DIMENSIONS) as they are now."""
        self.own = np.zeros((0, DIMENSIONS), dtype=np.float32)
        """(>= n, DIMENSIONS) how far this worker's users have moved them."""
        self.pool = np.zeros(POOL, dtype=np.int64)
        """A ring; the first ``n_pool`` count."""
        self.n_choices = 0
        self.changed: dict[int, None] = {}
        """Rows whose ``own`` nobody has been told yet, in the order in which they changed first."""
        self._has_moved = np.zeros(0, dtype=bool)
        """(>= n,) whether this worker's users have moved the item since it was started."""
        self._base = np.zeros((0, DIMENSIONS), dtype=np.float32)
        self._others: dict[str, np.ndarray] = {}
        """(rows, DIMENSIONS) float16 by worker: how far its users have moved the items, as it was told last."""

    @property
    def n_pool(self) -> int:
        """Rows in the pool."""
        return min(self.n_choices, POOL)

    @property
    def n_words(self) -> tuple[int, int]:
        """How many items this worker's users have moved, and how many each other worker's, added up."""
        own, *others = (int(words.any(axis=1).sum()) for words in (self.own, *self._others.values()))
        return own, sum(others)

    def add(self, row: int, item_id: str) -> None:
        """Begin a new item at signs of its own."""
        self.vectors = grown(self.vectors, row + 1)
        self.own = grown(self.own, row + 1)
        self._has_moved = grown(self._has_moved, row + 1)
        self._base = grown(self._base, row + 1)
        self._rebase(row, _signs_of(item_id))

    def put_text(self, row: int, vector: np.ndarray) -> None:
        """Take an item's text vector, (d,) unit: the item begins there instead; what choices taught stays."""
        self._rebase(row, _projected(vector))

    def delete_text(self, row: int, item_id: str) -> None:
        """Forget an item's text vector."""
        self._rebase(row, _signs_of(item_id))

    def choose(self, rows: np.ndarray) -> None:
        """Put what was chosen into the pool."""
        places = np.arange(self.n_choices, self.n_choices + len(rows)) % POOL
        self.pool[places] = rows
        self.n_choices += len(rows)

    def moved(self, rows: np.ndarray) -> None:
        """Note that this worker's users have just moved some items: ``vectors`` and ``own`` are changed already."""
        self._has_moved[rows] = True
        self.changed.update(dict.fromkeys(rows.tolist()))

    def take(self, worker: str, row: int, moved: np.ndarray) -> None:
        """Take how far another worker's users have moved an item; its newer word replaces its older one."""
        words = self._others[worker] = grown(self._others.get(worker, _NO_WORDS), row + 1)
        before = words[row].astype(np.float32)
        words[row] = moved
        self.vectors[row] += words[row] - before

    def restore(self, row: int, moved: np.ndarray) -> None:
        """Take this worker's own word of before it was started again; a newer one replaces an older one.

        Nothing is taken once its users have moved the item since: that is what it has just sent.
        """
        if not self._has_moved[row]:
            self.vectors[row] += moved - self.own[row]
            self.own[row] = moved

    def _rebase(self, row: int, base: np.ndarray) -> None:
        self.vectors[row] += base - self._base[row]
        self._base[row] = base


def encode(moved: np.ndarray) -> bytes:
    """Return a record's value on ``head-weights``: version (u8), then DIMENSIONS float16, little-endian."""
    return _VERSION_BYTE + moved.astype("<f2").tobytes()


def decode(data: bytes) -> np.ndarray:
    """Return how far an item was moved, (DIMENSIONS,) float32.

    Raises:
        StateVersionError: a newer program wrote it.
        MalformedMove: it is no move.
    """
    if data and data[0] > VERSION:
        raise StateVersionError(f"move has version {data[0]}, this program reads up to {VERSION}: update it")
    if len(data) != 1 + 2 * DIMENSIONS or data[0] != VERSION:
        raise MalformedMove(f"{len(data)} bytes that begin with {data[:1].hex() or 'nothing'}")
    moved = np.frombuffer(data, "<f2", offset=1).astype(np.float32)
    squared = float(moved @ moved)
    if not squared <= FARTHEST_TOLD**2:  # NaN is not
        raise MalformedMove(f"moved by {squared**0.5:.1f}: not finite, or farther than {FARTHEST_TOLD:g}")
    return moved


def _projected(vector: np.ndarray) -> np.ndarray:
    return (SCALE / DIMENSIONS**0.5) * (vector @ _signs(len(vector)))


def _signs_of(item_id: str) -> np.ndarray:
    digest = hashlib.blake2b(item_id.encode(), digest_size=DIMENSIONS // 8).digest()
    return (SCALE / DIMENSIONS**0.5) * _as_signs(digest)


@lru_cache(maxsize=4)
def _signs(n: int) -> np.ndarray:
    """Return (n, DIMENSIONS) float32 random signs, the same in every process."""
    return _as_signs(hashlib.shake_128(b"stream-rec factors").digest(n * DIMENSIONS // 8)).reshape(n, DIMENSIONS)


def _as_signs(bits: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bits, dtype=np.uint8)).astype(np.float32) * 2 - 1
