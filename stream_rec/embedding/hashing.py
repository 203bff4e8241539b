"""A deterministic encoder without a model: texts that share words, or parts of words, are similar.

Source:
    Weinberger et al. Feature Hashing for Large Scale Multitask Learning. ICML 2009.
    Bojanowski et al. Enriching Word Vectors with Subword Information. TACL 2017 (character n-grams in <word>).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

ALGORITHM = "1"
"""Count up with any change to the vectors: it is part of the identity."""

CHARS_PER_TOKEN = 8
"""A text is cut at so many characters for each token: a word without end costs no more than words."""

WORD, PAIR, PART = 1.0, 0.7, 0.25
"""Weights of a word, two neighbouring words, and 3 to 5 characters of a word, of which a word has about fifteen."""


class HashingEncoder:
    """Signed feature hashing of words, word pairs and character n-grams. Needs nothing, and knows no synonyms."""

    name = "hashing"
    device = "cpu"

    def __init__(self, *, dimensions: int = 256, max_tokens: int = 256, revision: str = "") -> None:
        self.dimensions = dimensions
        self.revision = "-".join(filter(None, (ALGORITHM, str(dimensions), str(max_tokens), revision)))
        self.identity = f"{self.name}@{self.revision}"
        self.tokens_encoded = 0
        self._max_tokens = max_tokens

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, d) unit rows. A text without a word, even "", gets one fixed vector of its own."""
        rows = np.empty((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts):
            row[:] = self._vector(text)
        return rows

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the same vectors as ``encode_passages``."""
        return self.encode_passages(texts)

    def _vector(self, text: str) -> NDArray[np.float64]:
        words = _WORD.findall(text[: CHARS_PER_TOKEN * self._max_tokens].lower())[: self._max_tokens]
        self.tokens_encoded += len(words)
        counts = Counter(_features(words))
        if counts:
            vector = self._sum(counts)
            length = np.linalg.norm(vector)
            if length > 0:
                return vector / length
        return self._sum({(WORD, 0): 1})  # no feature at all, or all of them cancelled out

    def _sum(self, counts: dict[tuple[float, int], int]) -> NDArray[np.float64]:
        """Return the sum of weight * (1 + ln(count)), each at the index and with the sign that its hash gives."""
        features = np.array(list(counts))
        hashes = _mix(features[:, 1].astype(np.uint32))
        values = features[:, 0] * (1.0 + np.log(list(counts.values())))
        values[hashes >= 1 << 31] *= -1
        summed: NDArray[np.float64] = np.bincount(hashes % self.dimensions, values, self.dimensions).astype(
            np.float64, copy=False
        )
        return summed


def _features(words: list[str]) -> Iterator[tuple[float, int]]:
    """Yield (weight, hash) of each occurrence of each feature."""
    before = ""
    for word in words:
        bounded = f"<{word}>"
        yield WORD, crc32(bounded.encode("utf-8", "replace"))
        if before:
            yield PAIR, crc32(f"{before} {word}".encode("utf-8", "replace"))
        before = word
        for size in (3, 4, 5):
            for start in range(len(bounded) - size + 1):
                yield PART, crc32(bounded[start : start + size].encode("utf-8", "replace"))


def _mix(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the hashes mixed by murmur3's last step.

    crc32 is linear: words that differ in the same two letters differ in the same bits, and would all collide or not.
    """
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))


_WORD = re.compile(r"\w+|[^\w\s]+")
