"""A control: unit vectors that say nothing of a text but which it is. What lists gain over it is what text brings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_rec.embedding.text import HASH_BYTES

ALGORITHM = "1"
"""Count up with any change to the vectors: it is part of the identity."""
DIMENSIONS = 64
MAX_CHARS = 2048
"""Longer texts are cut, as every encoder cuts them."""


class RandomEncoder:
    """Standard normal numbers from a generator seeded by the text and ``seed``, scaled to unit length.

    Two different texts are as similar as chance has it: cosines have mean 0 and deviation 1 / 8 at 64 dimensions.
    """

    name = "random"
    device = "cpu"
    dimensions = DIMENSIONS

    def __init__(self, *, seed: int = 0) -> None:
        self.revision = f"{ALGORITHM}-{DIMENSIONS}-{seed}"
        self.identity = f"{self.name}@{self.revision}"
        self.tokens_encoded = 0
        self._salt = f"{seed}\n".encode()

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, 64) unit rows, the same for the same text."""
        rows = np.empty((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts):
            row[:] = self._vector(text[:MAX_CHARS])
        return rows

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the same vectors as ``encode_passages``."""
        return self.encode_passages(texts)

    def _vector(self, text: str) -> NDArray[np.float64]:
        self.tokens_encoded += len(text.split())
        digest = hashlib.blake2b(self._salt + text.encode("utf-8", "replace"), digest_size=HASH_BYTES).digest()
        vector = np.random.default_rng(int.from_bytes(digest, "little")).standard_normal(self.dimensions)
        unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
        return unit
